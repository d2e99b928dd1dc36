// Coming in and going out: who is here, logging in by password and code, signing up, a new password by a link.

import { api, byId, forgive, hear, json, notice, show, submitting, tell } from "./page.js";

const here = { user: null };

// The address says which view is shown; the token of a link is taken out of it at once.
const place = () => location.hash.slice(1);
// Where an application of others asks (OAuth), there is nothing but its question, which stands in the query.
const asking = location.pathname === "/oauth/authorize";
const ASKED = "An application asks to use your library. Log in, then you decide.";
const forgetPlace = () => history.replaceState(null, "", location.pathname + (asking ? location.search : ""));
let resetToken = "";

function takeToken() {
  if (!place().startsWith("reset=")) return false;
  resetToken = place().slice("reset=".length);
  forgetPlace();
  return true;
}

export async function begin() {
  if (takeToken()) return enter(null, () => show("reset"));
  try {
    arrive((await api("me")).data, false);
  } catch (error) {
    leave(error.problem?.notices?.join(" ") ?? error.message);
  }
}

function enter(user, then) {
  here.user = user;
  for (const element of document.querySelectorAll("[data-for]")) {
    const aside = asking && element.closest("header") && element.id !== "logout";
    element.hidden = !user || (element.dataset.for === "admin" && !user.admin) || aside;
  }
  then();
}

function arrive(user, focus = true) {
  enter(user, () => go(focus));
  tell("logged-in", user);
}

function leave(text = "") {
  tell("forget");
  for (const form of document.querySelectorAll("main form")) {
    form.reset();
    forgive(form);
  }
  enter(null, () => go());
  notice(text || (asking ? ASKED : ""));
}

function go(focus = true) {
  // A link that was opened while the page still asked who is here.
  if (resetToken) return show("reset");
  const wanted = place();
  if (!here.user) return show(wanted === "signup" ? "signup" : "login");
  if (asking) return tell("consent", here.user);
  if (wanted === "account" || (wanted === "admin" && here.user.admin)) return tell(wanted);
  return tell("library", focus);
}

addEventListener("hashchange", () => {
  notice("");
  if (!takeToken()) resetToken = "";
  return go();
});

// Whoever is logged out by the server is told why, if there is a reason.
hear("logged-out", async () => {
  if (!here.user) return;
  here.user = null;
  const told = await api("me").then(() => "", (error) => error.problem?.notices?.join(" ") ?? "");
  leave(told || "You are logged out.");
});

function arrived(user) {
  for (const id of ["login", "second-factor", "signup"]) byId(id).reset();
  // The forms' addresses are no views of who is logged in.
  if (place() === "signup") forgetPlace();
  arrive(user);
}

submitting(byId("login"), async ({ name, password }) => {
  const { data } = await api("login", json("POST", { name, password }));
  if (data.second_factor !== "required") return arrived(data);
  byId("login").reset();
  byId("second-factor").reset();
  byRecovery(false);
  return show("second-factor");
});

submitting(byId("signup"), async ({ name, password }) => {
  const { data } = await api("signup", json("POST", { name, password }));
  arrived(data);
  notice(`Welcome, ${data.name}.`);
});

submitting(byId("second-factor"), async ({ code, recovery_code: spare }) => {
  const body = byId("spare-field").hidden ? { code: code.trim() } : { recovery_code: spare.trim() };
  try {
    arrived((await api("login/second-factor", json("POST", body))).data);
  } catch (error) {
    if (error.problem?.code !== "login.start_again") throw error;
    show("login");
    notice(error.message);
  }
});

function byRecovery(yes) {
  byId("spare-field").hidden = !yes;
  byId("code-field").hidden = yes;
  byId("code").required = !yes;
  byId("spare").required = yes;
  byId("other-way").textContent = yes ? "Use the code of your app instead" : "Use a recovery code instead";
}

byId("other-way").addEventListener("click", () => {
  byRecovery(byId("spare-field").hidden);
  forgive(byId("second-factor"));
  (byId("spare-field").hidden ? byId("code") : byId("spare")).focus();
});

byId("from-start").addEventListener("click", () => show("login"));

submitting(byId("reset"), async ({ password }) => {
  await api("password-reset", json("POST", { token: resetToken, password }));
  resetToken = "";
  byId("reset").reset();
  leave("Your password is set. Log in with it.");
});

byId("logout").addEventListener("click", async () => {
  await api("logout", { method: "POST" });
  forgetPlace();
  here.user = null;
  tell("logged-out");
  leave();
});
