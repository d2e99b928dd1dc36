// The tokens by which scripts use the API in the place of whoever made them.

import { api, byId, fill, hear, json, make, notice, Refusal, submitting } from "./page.js";

const when = (instant) => new Date(instant).toLocaleString();

hear("account", () => {
  hide();
  return draw().catch((error) => notice(error.message));
});

hear("forget", () => {
  hide();
  byId("tokens").replaceChildren();
});

// A token is shown once: nothing of it stays in the page.
function hide() {
  byId("token-made").hidden = true;
  byId("token-text").textContent = "";
}

const choices = () => [...byId("token-permissions").querySelectorAll(".some input")];

// In the words of the form, of which each token was made.
function words(permissions) {
  if (!permissions) return "All that you may";
  const known = new Map(choices().map((choice) => [choice.value, choice.parentElement.textContent.trim()]));
  return permissions.map((permission) => known.get(permission) ?? permission).join(", ") || "Nothing";
}

async function draw() {
  const { data } = await api("tokens");
  fill(byId("tokens"), data.map((token) => {
    const used = token.last_used_at ? `last used ${when(token.last_used_at)}` : "never used";
    const about = make("span", {},
      make("strong", { textContent: token.name }),
      make("small", { textContent: words(token.permissions) }),
      make("small", { textContent: `Made ${when(token.created_at)}, ends ${when(token.expires_at)}, ${used}` }));
    const button = make("button", { type: "button", className: "quiet", textContent: "Revoke" });
    button.dataset.key = token.id;
    button.setAttribute("aria-label", `Revoke the token ${token.name}, made ${when(token.created_at)}`);
    button.addEventListener("click", () => revoke(token));
    return make("li", {}, about, button);
  }));
}

async function revoke({ id, name }) {
  try {
    await api(`tokens/${id}`, { method: "DELETE" });
    await draw();
    byId("tokens-title").focus();
    notice(`The token ${name} is revoked.`);
  } catch (error) {
    notice(error.message);
  }
}

function chosen() {
  if (byId("token-all").checked) return null;
  const some = choices().filter(({ checked }) => checked).map(({ value }) => value);
  if (some.length) return some;
  throw new Refusal("", 0, { errors: [{ pointer: "/permissions", message: "Choose what it may do." }] });
}

submitting(byId("new-token"), async ({ name, days, password }) => {
  hide();
  const wanted = { name, permissions: chosen(), days: Number(days), password };
  const { data } = await api("tokens", json("POST", wanted));
  byId("new-token").reset();
  byId("token-text").textContent = data.token;
  byId("token-made").hidden = false;
  byId("token-made-title").focus();
  await draw();
});

byId("copy-token").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(byId("token-text").textContent);
    notice("The token is copied.");
  } catch {
    getSelection().selectAllChildren(byId("token-text"));
    notice("The browser does not copy it: it is selected, copy it yourself.");
  }
});

byId("token-kept").addEventListener("click", () => {
  hide();
  byId("tokens-title").focus();
});
