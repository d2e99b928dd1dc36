// What changes while one looks: one stream of events, each with the parts of the page that are others now.
import { drawAll, update } from "./charts.js";

const LOST_AFTER = 4000;
const AGAIN_AFTER = 5000;
const WORDS = { live: "live", paused: "paused", lost: "lost", connecting: "connecting" };

export function start(address) {
  const button = document.querySelector(".state");
  if (!address) return null;
  button.hidden = false;
  let source = null;
  let paused = false;
  let lost = 0;
  let again = 0;

  const tell = (state) => {
    button.dataset.state = state;
    button.querySelector(".state-text").textContent = WORDS[state];
    button.title = { live: "New figures come in: press to pause", paused: "Press to go on",
      lost: "The server does not answer; it is tried again", connecting: "" }[state];
    button.setAttribute("aria-pressed", String(paused));
  };
  const close = () => {
    clearTimeout(lost);
    clearTimeout(again);
    lost = again = 0;
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    if (paused || document.hidden) return;
    source = new EventSource(address);
    source.onopen = () => {
      clearTimeout(lost);
      lost = 0;
      tell("live");
    };
    source.onmessage = (event) => {
      const told = JSON.parse(event.data);
      apply(told.parts);
      trouble(told.trouble);
    };
    source.onerror = () => {
      // A stream ends by itself now and then, and the browser asks anew: that is no loss yet.
      lost ||= setTimeout(() => tell("lost"), LOST_AFTER);
      if (source?.readyState === EventSource.CLOSED) again ||= setTimeout(open, AGAIN_AFTER);
    };
  };

  document.addEventListener("visibilitychange", open);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  button.addEventListener("click", () => {
    paused = !paused;
    tell(paused ? "paused" : "connecting");
    open();
  });
  tell("connecting");
  open();
  return button;
}

function trouble(code) {
  const place = document.getElementById("trouble");
  place.hidden = !code;
  place.textContent = code ? `This page cannot be made now (${code}). What stands here is of before.` : "";
}

// What came while it would have disturbed, by the name of its part: it is shown once nobody minds.
const held = new Map();
setInterval(() => held.size && apply({}), 1000);

function apply(parts) {
  for (const [name, text] of Object.entries(parts)) held.set(name, text);
  for (const [name, text] of held) {
    const place = document.querySelector(`[data-live="${CSS.escape(name)}"]`);
    if (place && busy(place)) continue;
    held.delete(name);
    if (place) replace(place, text);
  }
  drawAll();
}

// Nobody's typing or marking is taken away.
function busy(place) {
  const active = document.activeElement;
  if (place.contains(active) && active.matches("input, select, textarea")) return true;
  if (place.querySelector(".records details[open], .fall details[open]")) return true;
  const marked = getSelection();
  return Boolean(marked && !marked.isCollapsed && place.contains(marked.anchorNode));
}

const FOCUSABLE = "a, button, summary, [tabindex]";

function replace(place, text) {
  const fresh = document.createElement("template");
  fresh.innerHTML = text; // of our own templates, which escape what they are given
  const figure = place.querySelector(":scope > figure[data-chart]");
  const newer = fresh.content.querySelector("figure[data-chart]");
  if (figure && newer && update(figure, newer)) return;

  const focused = [...place.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  const opened = [...place.querySelectorAll("details")].map((each) => each.open);
  const scrolled = [...place.querySelectorAll(".scroll")].map((each) => [each.scrollLeft, each.scrollTop]);
  const values = [...place.querySelectorAll(".tile-value")].map((each) => each.textContent);
  place.replaceChildren(fresh.content);
  place.querySelectorAll("details").forEach((each, index) => { each.open = opened[index] ?? each.open; });
  place.querySelectorAll(".scroll").forEach((each, index) => {
    [each.scrollLeft, each.scrollTop] = scrolled[index] ?? [0, 0];
  });
  place.querySelectorAll(".tile-value").forEach((each, index) => {
    if (values[index] !== undefined && values[index] !== each.textContent) each.classList.add("changed");
  });
  if (focused >= 0) place.querySelectorAll(FOCUSABLE)[focused]?.focus({ preventScroll: true });
}
