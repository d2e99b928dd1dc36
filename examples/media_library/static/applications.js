// Applications of others: one asks to use the library and is allowed or denied, and those that were allowed.

import { api, byId, fill, hear, json, make, notice, show } from "./page.js";

const when = (instant) => new Date(instant).toLocaleString();
const day = (instant) => new Date(instant).toLocaleDateString("en", { dateStyle: "long" });
const asked = () => location.search.slice(1);
let busy = false;

// The question

hear("consent", async (user) => {
  forget();
  const question = await put("authorizations/preview", { query: asked() });
  if (!question) return;
  byId("consent-client").textContent = question.client.name;
  byId("consent-user").textContent = user.name;
  byId("consent-id").textContent = question.client.id;
  byId("consent-host").textContent = onThisDevice(question.host) ? `${question.host}, on this device` : question.host;
  byId("consent-until").textContent = `${day(Date.now() + 1000 * question.lifetime)}, unless you end it before`;
  byId("consent-list").replaceChildren(...question.scopes.map(({ name, about }) =>
    make("label", {}, make("input", { type: "checkbox", value: name, checked: true }), ` ${about}`)));
  show("consent");
});

hear("forget", forget);

function forget() {
  byId("consent-list").replaceChildren();
  byId("consent-error").textContent = byId("refused-why").textContent = "";
}

const onThisDevice = (host) => /^(127\.0\.0\.1|\[::1\])(:|$)/.test(host);

// What is answered; or the browser is on its way, or told here why not.
async function put(path, body) {
  try {
    return (await api(path, json("POST", body))).data;
  } catch (error) {
    if (error.problem?.location) leave(error.problem.location);
    else if (error.problem?.code === "authorization.refused") refuse(error.message);
    else notice(error.message);
    return null;
  }
}

// Back leads to what was before the question, which is answered.
const leave = (address) => location.replace(address);

function refuse(why) {
  byId("refused-why").textContent = why;
  show("refused");
}

async function decide(allow) {
  const boxes = [...byId("consent-list").querySelectorAll("input")];
  const scopes = boxes.filter(({ checked }) => checked).map(({ value }) => value);
  byId("consent-error").textContent = "";
  if (allow && !scopes.length) {
    byId("consent-error").textContent = "Choose what it may do, or deny it.";
    return boxes[0].focus();
  }
  if (busy) return;
  busy = true;
  const answer = await put("authorizations", allow ? { query: asked(), allow, scopes } : { query: asked(), allow });
  busy = false;
  if (answer) leave(answer.location);
}

byId("allow").addEventListener("click", () => decide(true));
byId("deny").addEventListener("click", () => decide(false));

// Those that were allowed

hear("account", () => draw().catch((error) => notice(error.message)));
hear("forget", () => byId("applications").replaceChildren());

async function draw() {
  const { data } = await api("authorizations");
  byId("no-applications").hidden = data.length > 0;
  fill(byId("applications"), data.map((application) => {
    const used = application.last_used_at ? `last renewed ${when(application.last_used_at)}` : "not renewed yet";
    const { name } = application.client;
    const about = make("span", {},
      make("strong", { textContent: name }),
      make("small", { textContent: application.scopes.map((scope) => scope.about).join(", ") }),
      make("small", { textContent: `Allowed ${when(application.created_at)}, ends ${when(application.expires_at)}, ${used}` }));
    const button = make("button", { type: "button", className: "quiet", textContent: "Disconnect" });
    button.dataset.key = application.id;
    button.setAttribute("aria-label", `Disconnect ${name}, allowed ${when(application.created_at)}`);
    button.addEventListener("click", () => disconnect(application.id, name));
    return make("li", {}, about, button);
  }));
}

async function disconnect(id, name) {
  try {
    await api(`authorizations/${id}`, { method: "DELETE" });
    await draw();
    byId("applications-title").focus();
    notice(`${name} is disconnected.`);
  } catch (error) {
    notice(error.message);
  }
}
