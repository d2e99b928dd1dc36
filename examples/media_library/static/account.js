// One's own account: the password, the second factor, and where one is logged in.

import { api, byId, fill, forgive, hear, json, make, notice, show, submitting } from "./page.js";

const when = (instant) => new Date(instant).toLocaleString();

hear("logged-in", (user) => {
  for (const field of document.querySelectorAll("[data-own-name]")) field.value = user.name;
});

hear("account", async () => {
  forget();
  show("account");
  await Promise.all([drawFactor(), drawDevices()]).catch((error) => notice(error.message));
});

hear("forget", forget);

// Secrets are shown once: nothing of them stays in the page.
function forget() {
  byId("qr").removeAttribute("src");
  byId("secret").textContent = "";
  byId("recovery-list").replaceChildren();
  byId("enrolment").hidden = byId("recovery").hidden = true;
  for (const form of byId("account").querySelectorAll("form")) {
    form.reset();
    forgive(form);
  }
}

submitting(byId("change-password"), async ({ current, new: next }) => {
  await api("account/password", json("POST", { current, new: next }));
  byId("change-password").reset();
  await drawDevices();
  notice("Your password is changed. Your other devices are logged out.");
});

// The second factor

async function drawFactor() {
  const { data } = await api("account/factor");
  byId("factor-status").textContent = data.enabled
    ? `On since ${when(data.since)}. ${data.recovery_codes} recovery codes are left.`
    : "Off. With it a login needs the code of an app on your telephone beside the password.";
  byId("begin-factor").hidden = data.enabled;
  byId("manage-factor").hidden = !data.enabled;
}

submitting(byId("begin-factor"), async ({ password }) => {
  const { data } = await api("account/factor", json("POST", { password }));
  byId("begin-factor").reset();
  byId("begin-factor").hidden = true;
  byId("qr").src = data.qr;
  byId("qr").alt = data.alt;
  byId("secret").textContent = data.secret;
  byId("enrolment").hidden = false;
  byId("first-code").focus();
});

submitting(byId("enrolment"), async ({ code }) => {
  const { data } = await api("account/factor/confirm", json("POST", { code: code.trim() }));
  forget();
  await Promise.all([drawFactor(), drawDevices()]);
  showCodes(data.recovery_codes, "Your second factor is on. Your other devices are logged out.");
});

submitting(byId("manage-factor"), async ({ password }, button) => {
  if (button?.value === "off") {
    await api("account/factor/disable", json("POST", { password }));
    forget();
    await drawFactor();
    byId("factor-title").focus();
    return notice("Your second factor is off.");
  }
  const { data } = await api("account/recovery-codes", json("POST", { password }));
  byId("manage-factor").reset();
  await drawFactor();
  return showCodes(data.recovery_codes, "The recovery codes of before are ended.");
});

function showCodes(codes, text) {
  byId("recovery-list").replaceChildren(...codes.map((code) => make("li", {}, make("code", { textContent: code }))));
  byId("recovery").hidden = false;
  byId("recovery-title").focus();
  notice(text);
}

byId("kept").addEventListener("click", () => {
  byId("recovery").hidden = true;
  byId("recovery-list").replaceChildren();
  byId("factor-title").focus();
});

// Devices

async function drawDevices() {
  const { data } = await api("account/devices");
  fill(byId("devices"), data.map((device) => {
    const name = device.agent ?? "Unknown browser";
    const about = make("span", {},
      make("strong", { textContent: name }),
      make("small", { textContent: `${device.network ?? "unknown network"}, last seen ${when(device.last_seen_at)}` }));
    if (device.current) return make("li", {}, about, make("span", { className: "mark", textContent: "this device" }));
    const button = make("button", { type: "button", className: "quiet", textContent: "End" });
    button.setAttribute("aria-label", `End the session of ${name}, last seen ${when(device.last_seen_at)}`);
    button.addEventListener("click", () => end(`account/devices/${device.id}`, `The session of ${name} is ended.`));
    return make("li", {}, about, button);
  }));
  byId("end-others").hidden = data.length < 2;
}

async function end(path, text) {
  try {
    await api(path, { method: "DELETE" });
    await drawDevices();
    byId("devices-title").focus();
    notice(text);
  } catch (error) {
    notice(error.message);
  }
}

byId("end-others").addEventListener("click", () => end("account/devices", "All other sessions are ended."));
