// The dashboard's page: charts are drawn, changes come in, keys lead around. Without it the page is whole, and still.
import { drawAll } from "./charts.js";
import { start } from "./live.js";
import { keys } from "./keys.js";

const root = document.documentElement;

export function remembered(name, otherwise) {
  try {
    return localStorage.getItem(`postrmagic-${name}`) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`postrmagic-${name}`, value);
  } catch {
    // Nothing may be kept here: it holds until the page is left.
  }
}

function themes() {
  const button = document.querySelector(".theme");
  const next = { auto: "light", light: "dark", dark: "auto" };
  const said = { auto: "as the system says", light: "light", dark: "dark" };
  let theme = root.dataset.theme ?? "auto";
  const tell = () => {
    button.textContent = { auto: "Auto", light: "Light", dark: "Dark" }[theme];
    button.setAttribute("aria-label", `${button.textContent}: colours ${said[theme]}`);
  };
  button.addEventListener("click", () => {
    theme = next[theme];
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    remember("theme", theme);
    tell();
    drawAll({ anew: true });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll({ anew: true }));
  tell();
  button.hidden = false;
  return button;
}

function menu() {
  const button = document.querySelector(".menu");
  button.hidden = false;
  const open = (is) => {
    button.setAttribute("aria-expanded", String(is));
    root.classList.toggle("menu-open", is);
  };
  button.addEventListener("click", () => open(button.getAttribute("aria-expanded") !== "true"));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && root.classList.contains("menu-open")) {
      open(false);
      button.focus();
    }
  });
}

// A button that asks first, and one that is pressed twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) {
    event.preventDefault();
    return;
  }
  if (form.method === "post") {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  }
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

const theme = themes();
menu();
drawAll();
const state = start(document.body.dataset.liveFrom);
keys({ theme, state });
