// What every part of the page uses: requests, elements, views, forms.

export const byId = (id) => document.getElementById(id);

// What a request was refused with: the problem document beside its words.
export class Refusal extends Error {
  constructor(message, status, problem) {
    super(message);
    this.status = status;
    this.problem = problem;
  }
}

// What is wrong is told in the language of the page, whichever the browser prefers.
const ASKED = { Accept: "application/json", "Accept-Language": document.documentElement.lang };

export async function api(path, options = {}) {
  const response = await fetch(`/api/v1/${path}`, { ...options, headers: { ...ASKED, ...options.headers } });
  if (response.status === 204) return null;
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  if (response.status === 401 && body.code === "authentication.required" && path !== "me") tell("logged-out");
  throw new Refusal(tooMany(response) || explain(body), response.status, body);
}

// A limit says when there is room again.
function tooMany(response) {
  const wait = response.status === 429 ? Number(response.headers.get("Retry-After")) : 0;
  return wait && `Too many attempts: try again in ${wait} ${wait === 1 ? "second" : "seconds"}.`;
}

export const json = (method, body) => ({ method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export function explain(problem) {
  const first = problem.errors?.[0]?.message;
  return first || problem.detail || sentence(problem.title || "Something went wrong");
}

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export function shape(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// New content for the element; whoever was on one of its buttons stays on the one that took its place.
export function fill(element, children) {
  const key = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  element.replaceChildren(...children);
  if (key) element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

// The parts of the page tell each other what happened.
export const tell = (what, detail) => document.dispatchEvent(new CustomEvent(what, { detail }));
export const hear = (what, call) => document.addEventListener(what, (event) => call(event.detail));

// One view at a time; who comes to it by a link is put at its heading, who is to type in its first field.
export function show(id, focus = true) {
  for (const view of document.querySelectorAll("[data-view]")) view.hidden = view.id !== id;
  const view = byId(id);
  document.title = view.dataset.title ? `${view.dataset.title}, PostrMagic` : "PostrMagic";
  if (focus) (view.matches("form") ? view.querySelector("input:not([hidden])") : view.querySelector("h2"))?.focus();
}

// What came of something, for eyes and for screen readers.
export function notice(text) {
  byId("notice").textContent = text;
}

// Sends a form once at a time. What is wrong is told at its field, and the first of them gets the focus; what belongs
// to none, at the form's end.
export function submitting(form, action) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    forgive(form);
    notice("");
    try {
      await action(Object.fromEntries(new FormData(form)), event.submitter);
    } catch (error) {
      blame(form, error);
    } finally {
      delete form.dataset.busy;
    }
  });
}

export function forgive(form) {
  for (const line of form.querySelectorAll(".error")) line.textContent = "";
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

function blame(form, error) {
  const whole = form.querySelector("[role=alert]");
  const rest = [];
  let first = null;
  for (const { pointer, message } of error.problem?.errors ?? []) {
    const field = form.elements[pointer.slice(1)];
    const line = field && byId(`${field.id}-error`);
    if (!line) {
      rest.push(message);
      continue;
    }
    line.textContent = [line.textContent, sentence(message)].filter(Boolean).join(" ");
    // Of several choices the first is where one goes on.
    const one = field.matches("fieldset") ? field.querySelector("input") : field;
    one.setAttribute("aria-invalid", "true");
    first ??= one;
  }
  if (!first) {
    whole.textContent = rest.length ? rest.map(sentence).join(" ") : error.message;
    first = form.querySelector("input:not([hidden])");
    first?.select();
  } else {
    whole.textContent = rest.map(sentence).join(" ");
  }
  first?.focus();
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
