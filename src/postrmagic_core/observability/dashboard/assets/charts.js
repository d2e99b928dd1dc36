// Charts: each figure has its data beside it; uPlot draws them in the colours of the page.
/* global uPlot */

const HEIGHT = 168;
const drawn = new Map(); // figure → { plot, data }
const sync = { key: "postrmagic" };

function number(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return `${+(value / 1e9).toPrecision(3)} G`;
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)} M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)} k`;
  return String(+value.toPrecision(3));
}

function seconds(value) {
  const size = Math.abs(value);
  if (size >= 7200) return `${+(value / 3600).toPrecision(3)} h`;
  if (size >= 120) return `${+(value / 60).toPrecision(3)} min`;
  if (size >= 1 || size === 0) return `${+value.toPrecision(3)} s`;
  return size >= 0.001 ? `${+(value * 1e3).toPrecision(3)} ms` : `${+(value * 1e6).toPrecision(3)} µs`;
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let power = 0;
  let rest = value;
  while (Math.abs(rest) >= 1023.5 && power < units.length - 1) [rest, power] = [rest / 1024, power + 1];
  return `${+rest.toPrecision(3)} ${units[power]}`;
}

export function shown(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "s" || unit === "seconds") return seconds(value);
  if (unit === "B" || unit === "bytes") return bytes(value);
  if (unit === "share" || unit === "ratio") return `${+(value * 100).toPrecision(3)} %`;
  if (unit === "per second") return `${number(value)} /s`;
  return unit === "count" || !unit ? number(value) : `${number(value)} ${unit}`;
}

// Of real elements: a custom property is not resolved before something is drawn with it.
function colours(figure) {
  const of = (element) => getComputedStyle(element);
  const lines = [...figure.querySelectorAll(".key i")].map((each) => of(each).backgroundColor);
  const probe = figure.querySelector(".plot");
  const style = of(probe);
  return { lines, text: style.color, grid: style.borderTopColor, limit: style.outlineColor, mark: style.columnRuleColor };
}

function faded(colour, alpha) {
  const found = colour.match(/[\d.]+/g);
  return found ? `rgba(${found[0]}, ${found[1]}, ${found[2]}, ${alpha})` : colour;
}

// Steps of bytes are powers of two, those of time and the rest of ten.
function options(figure, data, width) {
  const { lines, text, grid, limit, mark } = colours(figure);
  const axis = { stroke: text, font: "11px system-ui, sans-serif", grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    padding: [16, 18, 0, 0],
    cursor: { drag: { x: false, y: false }, sync, points: { size: 7 }, y: false },
    scales: {
      x: { time: true, range: () => [data.from, data.to] },
      y: { range: (_, low, high) => [Math.min(0, low ?? 0), top(data, high)] },
    },
    axes: [
      { ...axis, size: 24, gap: 4, space: 64, grid: { show: false }, values: (_, ticks, __, ___, step) => ticks.map((at) => tick(at, step)) },
      { ...axis, size: 62, gap: 6, space: 36, values: (_, ticks) => ticks.map((value) => shown(value, data.unit)) },
    ],
    series: [
      {},
      ...data.labels.map((label, index) => ({
        label,
        stroke: lines[index],
        width: 1.6,
        fill: index === 0 ? faded(lines[0], 0.1) : undefined,
        points: { show: alone, size: 4, fill: lines[index] },
      })),
    ],
    hooks: { draw: [(plot) => lay(plot, data, { limit, mark, text })], setCursor: [(plot) => read(figure, plot, data)] },
  };
}

function top(data, high) {
  const most = Math.max(high ?? 0, 0);
  // A threshold that is near is shown; one that is far would press the line flat.
  const within = data.limit !== null && data.limit <= most * 3 ? Math.max(most, data.limit) : most;
  return within > 0 ? within * 1.08 : 1;
}

function alone(plot, index) {
  const known = plot.data[index].filter((value) => value !== null).length;
  return known > 0 && known < 3;
}

function tick(at, step) {
  const when = new Date(at * 1000);
  if (step >= 86400) return when.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  const midnight = when.getHours() === 0 && when.getMinutes() === 0;
  if (midnight && step >= 3600) return when.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  return when.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

// The threshold across, and instants down.
function lay(plot, data, { limit, mark, text }) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.lineWidth = ratio;
  if (data.limit !== null) {
    const y = Math.round(plot.valToPos(data.limit, "y", true));
    if (y >= bbox.top && y <= bbox.top + bbox.height) {
      ctx.strokeStyle = limit;
      ctx.setLineDash([4 * ratio, 4 * ratio]);
      line(ctx, bbox.left, y, bbox.left + bbox.width, y);
    }
  }
  ctx.font = `${10 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "left"; // the axes leave theirs
  let free = -Infinity;
  for (const [at, label, kind] of data.marks) {
    const x = Math.round(plot.valToPos(at, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = kind === "alert" ? limit : mark;
    ctx.setLineDash(kind === "alert" ? [2 * ratio, 2 * ratio] : []);
    line(ctx, x, bbox.top - 2 * ratio, x, bbox.top + bbox.height);
    const wide = ctx.measureText(label).width;
    const left = x + wide + 4 * ratio > bbox.left + bbox.width ? x - wide - 4 * ratio : x + 4 * ratio;
    if (left > free) {
      ctx.fillStyle = text;
      ctx.fillText(label, left, bbox.top - 4 * ratio);
      free = left + wide + 6 * ratio;
    }
  }
  ctx.restore();
}

function line(ctx, x, y, toX, toY) {
  ctx.beginPath();
  ctx.moveTo(x, y);
  ctx.lineTo(toX, toY);
  ctx.stroke();
}

function moment(when) {
  const clock = when.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const today = when.toDateString() === new Date().toDateString();
  return today ? clock : `${when.toLocaleDateString(undefined, { day: "numeric", month: "short" })} ${clock}`;
}

// What stands under the pointer, in the place of the newest figures.
function read(figure, plot, data) {
  const index = plot.cursor.idx;
  const at = index === null || index === undefined ? null : plot.data[0][index];
  const when = figure.querySelector(".when");
  figure.querySelectorAll(".key b").forEach((each, place) => {
    each.dataset.last ??= each.textContent;
    each.textContent = at === null ? each.dataset.last : shown(plot.data[place + 1][index], data.unit);
  });
  if (when) when.textContent = at === null ? "" : moment(new Date(at * 1000));
}

function draw(figure) {
  const place = figure.querySelector(".plot");
  if (!place || typeof uPlot === "undefined") return;
  const data = JSON.parse(figure.dataset.figures);
  place.replaceChildren();
  const plot = new uPlot(options(figure, data, place.clientWidth), data.columns, place);
  drawn.set(figure, { plot, data });
}

// Whether a figure that is drawn could take what another one of it shows.
export function update(figure, newer) {
  const known = drawn.get(figure);
  if (!known || !newer.querySelector(".plot")) return false;
  const data = JSON.parse(newer.dataset.figures);
  if (data.labels.length !== known.data.labels.length) return false;
  figure.dataset.figures = newer.dataset.figures;
  Object.assign(known.data, data);
  const hovered = figure.matches(":hover");
  figure.querySelectorAll(".key b").forEach((each, place) => {
    each.dataset.last = newer.querySelectorAll(".key b")[place].textContent;
    if (!hovered) each.textContent = each.dataset.last;
  });
  figure.querySelector(":scope > .unseen").textContent = newer.querySelector(":scope > .unseen").textContent;
  figure.querySelector("details table")?.replaceWith(newer.querySelector("details table"));
  known.plot.setData(data.columns);
  return true;
}

export function drawAll({ anew = false } = {}) {
  for (const [figure, { plot }] of drawn) {
    if (anew || !figure.isConnected) {
      plot.destroy();
      drawn.delete(figure);
    }
  }
  for (const figure of document.querySelectorAll("figure[data-chart]")) if (!drawn.has(figure)) draw(figure);
}

let resizing = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(() => {
    for (const [figure, { plot }] of drawn) {
      plot.setSize({ width: figure.querySelector(".plot").clientWidth, height: HEIGHT });
    }
  });
});
