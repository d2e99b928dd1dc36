// The library's page: every state comes from the API, nothing is kept but what is shown.

import { api, byId, explain, fill, hear, json, make, shape, show } from "./page.js";
import { begin } from "./accounts.js";
import "./account.js";
import "./tokens.js";
import "./applications.js";
import "./admin.js";

const state = { query: "", tag: "", next: null, items: new Map(), stats: null, open: null, turn: 0, told: [] };
let watching = 0;

hear("logged-out", () => {
  clearTimeout(watching);
  state.turn += 1;
  state.items = new Map();
  byId("notifications").hidePopover();
  byId("stats").textContent = "";
  byId("detail").close();
});

hear("library", (focus) => {
  show("library", focus);
  return refresh();
});

// Gallery

const asked = () => `${state.query} ${state.tag ? `tag:"${state.tag}"` : ""}`.trim();

async function load(after = null) {
  const parameters = new URLSearchParams({ q: asked() });
  if (after) parameters.set("after", after);
  return api(`media?${parameters}`);
}

// Answers may overtake one another: only the last question's counts.
async function refresh() {
  const turn = ++state.turn;
  let page, stats, told;
  try {
    [page, stats, told] = await Promise.all([load(), api("stats"), api("notifications")]);
  } catch (error) {
    byId("empty").hidden = false;
    byId("empty").textContent = error.message;
    if (turn === state.turn) watch();
    return;
  }
  if (turn !== state.turn) return;
  state.items = new Map(page.data.map((item) => [item.id, item]));
  state.next = page.next;
  draw();
  drawStats(stats);
  drawNotifications(told);
  watch();
}

function draw() {
  const items = [...state.items.values()];
  fill(byId("gallery"), items.map(card));
  byId("more").hidden = !state.next;
  byId("empty").hidden = items.length > 0;
  byId("empty").textContent = asked() ? "No poster matches." : "No posters yet: drop some above.";
}

function card(item) {
  const picture = item.thumbnail
    ? make("img", { src: item.thumbnail, alt: "", loading: "lazy" })
    : make("span", { className: "waiting", textContent: "making thumbnail…" });
  const button = make("button", { type: "button" },
    make("span", { className: "picture" }, picture),
    make("span", { className: "words" },
      make("strong", { textContent: item.title }),
      make("small", { textContent: item.tags.join(", ") })));
  if (item.colours?.length) button.firstChild.after(stripe(item.colours));
  button.dataset.key = item.id;
  button.addEventListener("click", () => openDetail(item));
  return make("li", {}, button);
}

// Told in words where the poster is open; on its card it is an ornament.
function stripe(colours) {
  return make("span", { className: "stripe", ariaHidden: "true" }, ...colours.map((colour) => {
    const part = make("span", { title: colour });
    part.style.backgroundColor = colour;  // a colour and nothing else: no picture, no address
    return part;
  }));
}

function drawStats({ data: stats, meta }) {
  state.stats = stats;
  drawActivity(stats.activity);
  const megabytes = (bytes) => (bytes / 1048576).toFixed(1);
  byId("stats").textContent = `${stats.media} ${stats.media === 1 ? "poster" : "posters"}, ${megabytes(stats.bytes)} of ${megabytes(stats.quota_bytes)} MB; ${Math.round(100 * meta.cache_hit_rate)} % from cache`;
  fill(byId("tags"), stats.tags.slice(0, 30).map(({ name, count }) => {
    const button = make("button", { type: "button", textContent: `${name} ${count}` });
    button.dataset.key = name;
    button.setAttribute("aria-pressed", String(state.tag === name));
    button.addEventListener("click", () => {
      state.tag = state.tag === name ? "" : name;
      refresh();
    });
    return button;
  }));
}

// Uploads per month as bars; the picture's name says the same in words.
function drawActivity(activity) {
  byId("activity").toggleAttribute("hidden", !activity);
  if (!activity) return;
  const most = Math.max(1, ...activity.map(({ uploads }) => uploads));
  const named = (month, style) => new Date(`${month}-15`).toLocaleString("en", { month: style });
  const spelled = (month) => `${named(month, "long")} ${month.slice(0, 4)}`;
  const busy = activity.filter(({ uploads }) => uploads > 0);
  const words = busy.map(({ month, uploads }) => `${uploads} in ${spelled(month)}`).join(", ") || "none";
  byId("activity").setAttribute("aria-label", `Uploads in the last twelve months: ${words}`);
  byId("activity").replaceChildren(...activity.flatMap(({ month, uploads }, at) => {
    const height = uploads ? Math.max(2, (48 * uploads) / most) : 1;
    const box = { x: at * 20 + 3, y: 60 - height, width: 14, height, rx: 2, class: uploads ? "some" : "none" };
    const told = shape("title");
    told.textContent = `${spelled(month)}: ${uploads}`;
    const label = shape("text", { x: at * 20 + 10, y: 73, "text-anchor": "middle" });
    label.textContent = named(month, "narrow");
    const value = shape("text", { x: at * 20 + 10, y: 57 - height, "text-anchor": "middle" });
    value.textContent = uploads || "";
    return [shape("rect", box, told), label, value];
  }));
}

// Whether a job that the page shows something of is not done yet.
const unfinished = (item) => !item.thumbnail || !item.colours;
const outdated = (stats) => stats !== null && (stats.types ?? []).reduce((sum, { count }) => sum + count, 0) !== stats.media;

// Thumbnails, colours and figures come when their jobs are done: ask again, ever more slowly, while some are missing.
function watch(wait = 200) {
  clearTimeout(watching);
  const some = [...state.items.values()].some(unfinished);
  if (!some && !outdated(state.stats)) return;
  const turn = state.turn;
  watching = setTimeout(async () => {
    const answers = Promise.all([some ? load() : null, api("stats"), api("notifications")]);
    const [page, stats, told] = await answers.catch(() => [null, null, null]);
    if (turn !== state.turn) return;
    let changed = false;
    for (const item of page?.data ?? []) {
      const known = state.items.get(item.id);
      if (known && (Boolean(known.thumbnail) !== Boolean(item.thumbnail) || Boolean(known.colours) !== Boolean(item.colours))) {
        state.items.set(item.id, item);
        changed = true;
      }
    }
    if (changed) draw();
    if (stats) drawStats(stats);
    if (told) drawNotifications(told);
    watch(Math.min(wait * 1.5, 5000));
  }, wait);
}

byId("more").addEventListener("click", async () => {
  const page = await load(state.next);
  for (const item of page.data) state.items.set(item.id, item);
  state.next = page.next;
  draw();
  watch();
});

let typing = 0;
byId("query").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    state.query = event.target.value;
    refresh();
  }, 200);
});
byId("search").addEventListener("submit", (event) => event.preventDefault());

// Uploads

function upload(file) {
  const bar = make("progress", { max: 1, value: 0 });
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  const outcome = make("span", { textContent: "0 %" });
  const row = make("li", {}, make("span", { textContent: file.name }), bar, outcome);
  byId("uploads").append(row);
  const form = new FormData();
  form.append("file", file);
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/v1/media");
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = loaded / total;
      outcome.textContent = `${Math.floor((100 * loaded) / total)} %`;
    });
    const fail = (message) => {
      bar.remove();
      outcome.className = "failed";
      outcome.textContent = message;
      resolve();
    };
    request.addEventListener("error", () => fail("The connection was lost."));
    request.addEventListener("load", () => {
      if (request.status >= 400) return fail(explain(request.response ?? {}));
      outcome.textContent = request.status === 200 ? "already here" : "done";
      setTimeout(() => row.remove(), 2500);
      return resolve();
    });
    request.send(form);
  });
}

async function uploadAll(files) {
  const waiting = [...files];
  const lane = async () => {
    while (waiting.length) {
      await upload(waiting.shift());
      await refresh();
    }
  };
  await Promise.all([lane(), lane(), lane()]);
}

const drop = byId("drop");
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  uploadAll(event.dataTransfer.files);
});
byId("files").addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  await uploadAll(files);
});

// Notifications: looked for with whatever else is asked for, and now and then; what was opened has been seen.

function drawNotifications({ data, meta }) {
  state.told = data;
  drawBell(meta.unread);
  byId("nothing-told").hidden = data.length > 0;
  byId("told").replaceChildren(...data.map(({ message, changed_at: at, read }) => make("li", { className: read ? "" : "new" },
    make("span", { textContent: message }),
    make("time", { dateTime: at, textContent: new Date(at).toLocaleString() }))));
}

// The lines that were new stay marked while they are looked at.
function drawBell(unread) {
  const badge = make("span", { className: "badge", textContent: `${unread} new` });
  byId("bell").replaceChildren("Notifications ", ...(unread ? [badge] : []));
}

byId("notifications").addEventListener("toggle", async ({ newState }) => {
  if (newState !== "open" || state.told.every(({ read }) => read)) return;
  await api("notifications/read", json("POST", { until: state.told[0].changed_at })).catch(() => null);
  drawBell(0);
});

setInterval(async () => {
  if (document.hidden || byId("bell").hidden) return;
  const told = await api("notifications").catch(() => null);
  if (told) drawNotifications(told);
}, 20000);

// One poster

function openDetail(item) {
  state.open = item;
  byId("detail-heading").textContent = item.title;
  byId("detail-image").src = item.thumbnail ?? "";
  byId("detail-image").hidden = !item.thumbnail;
  byId("title").value = item.title;
  byId("tag-list").value = item.tags.join(", ");
  byId("download").href = item.file;
  byId("detail-error").textContent = "";
  const added = new Date(item.created_at).toLocaleString();
  const turned = item.orientation ? `${item.orientation}, ` : "";
  byId("detail-facts").textContent = `${item.filename}, ${turned}${item.width} × ${item.height}, ${Math.ceil(item.size / 1024)} KB, added ${added}`;
  const colours = item.colours ?? [];
  byId("detail-colours").hidden = !colours.length;
  byId("detail-colours").replaceChildren(stripe(colours), make("span", { textContent: `Colours: ${colours.join(", ")}` }));
  byId("detail").showModal();
}

byId("close").addEventListener("click", () => byId("detail").close());

async function change(action) {
  try {
    await action();
    byId("detail").close();
    await refresh();
  } catch (error) {
    byId("detail-error").textContent = error.message;
  }
}

byId("edit").addEventListener("submit", (event) => {
  event.preventDefault();
  const tags = byId("tag-list").value.split(",").map((tag) => tag.trim()).filter(Boolean);
  change(() => api(`media/${state.open.id}`, json("PATCH", { title: byId("title").value, tags })));
});

byId("delete").addEventListener("click", () => {
  if (confirm(`Delete “${state.open.title}”?`)) change(() => api(`media/${state.open.id}`, { method: "DELETE" }));
});

begin();
