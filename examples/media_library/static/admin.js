// For administrators: who has which role and why, and what happened.

import { api, byId, fill, hear, make, notice, show, submitting } from "./page.js";

const when = (instant) => new Date(instant).toLocaleString();
const state = { users: [], roles: [], next: null };

hear("admin", async () => {
  show("admin");
  byId("why-answer").hidden = true;
  await refresh().catch((error) => notice(error.message));
});

hear("forget", () => {
  for (const id of ["users", "audit", "why-user"]) byId(id).replaceChildren();
  byId("why-answer").textContent = "";
});

async function refresh() {
  await load(null);
  await drawAudit();
}

async function load(after) {
  const { data, next, meta } = await api(`admin/users${after ? `?${new URLSearchParams({ after })}` : ""}`);
  Object.assign(state, { users: after ? [...state.users, ...data] : data, roles: meta.roles, next });
  draw();
}

function draw() {
  fill(byId("users"), state.users.map((user) => make("tr", {},
    named(user.name),
    make("td", { textContent: when(user.created_at) }),
    make("td", {}, ...state.roles.map((role) => toggle(user, role))))));
  const chosen = byId("why-user").value;
  byId("why-user").replaceChildren(...state.users.map(({ id, name }) => make("option", { value: id, textContent: name })));
  if (chosen) byId("why-user").value = chosen;
  byId("more-users").hidden = !state.next;
}

function named(text) {
  const cell = make("th", { textContent: text });
  cell.scope = "row";
  return cell;
}

function toggle(user, role) {
  const has = user.roles.includes(role.name);
  const button = make("button", { type: "button", className: "role", textContent: role.name, title: role.about });
  button.dataset.key = `${user.id} ${role.name}`;
  button.setAttribute("aria-pressed", String(has));
  button.setAttribute("aria-label", `${role.name}, role of ${user.name}`);
  button.addEventListener("click", async () => {
    try {
      const path = `admin/users/${user.id}/roles/${role.name}`;
      user.roles = (await api(path, { method: has ? "DELETE" : "PUT" })).data.roles;
      draw();
      await drawAudit();
      notice(has ? `${user.name} has the role ${role.name} no more.` : `${user.name} has the role ${role.name}.`);
    } catch (error) {
      notice(error.problem?.code === "data.last_holder" ? `Somebody must have the role ${role.name}: give it to another first.` : error.message);
    }
  });
  return button;
}

async function drawAudit() {
  const { data } = await api("admin/audit");
  fill(byId("audit"), data.map((entry) => make("tr", {},
    make("td", { textContent: when(entry.at) }),
    make("td", { textContent: entry.actor ?? "nobody" }),
    make("td", { textContent: entry.action }),
    make("td", { textContent: [entry.subject, ...Object.values(entry.detail)].filter(Boolean).join(", ") }))));
}

byId("more-users").addEventListener("click", () => load(state.next).catch((error) => notice(error.message)));

submitting(byId("why"), async ({ user, permission }) => {
  const { data } = await api(`admin/users/${user}/explain?${new URLSearchParams({ permission })}`);
  byId("why-answer").textContent = data.explanation;
  byId("why-answer").hidden = false;
});
