// The page: what is shown, how it is asked for, keys and buttons.
import { Blocks, describe } from "./blocks.js";
import { FILL_NAMES, LINE_NAMES, drawPanel, keys, legend, makeFills } from "./draw.js";
import { PART_COLOURS, partsBar, pictureFacts, table } from "./facts.js";
import { Timeline } from "./timeline.js";

const LAYER_NAMES = {
  picture: "picture", unfiltered: "before in-loop filters", prediction: "prediction",
  filtered: "filtered prediction", source: "source", residual: "residual", filter: "filter adds",
  loop: "in-loop filters add", error: "error",
};
const LAYER_ORDER = ["picture", "prediction", "filtered", "filter", "residual", "unfiltered", "loop", "source", "error"];
const WITH_GAIN = ["residual", "filter", "loop", "error"];
const LINE_KEYS = { c: "ctu", u: "cu", p: "pu", t: "tu", v: "vectors" };
const FILL_KEYS = { m: "modes", f: "filter", l: "loss", b: "bits", q: "qp" };
const KEPT = 16; // pictures and block data of each stream that the page keeps
const AHEAD = 3; // pictures asked for before they are needed
const POLL = 250; // milliseconds

const $ = (id) => document.getElementById(id);
const about = await ask("api/about");
const state = {
  index: 0, layer: "picture", component: "yuv", gain: 4, lines: new Set(), fill: "none", playing: false,
  hover: null, view: null, fitted: true,
};
const reports = about.streams.map(() => []);
const progress = about.streams.map(() => ({ decoded: 0, finished: false, error: null }));
const panels = about.streams.map(makePanel);
let shown = null; // {index, parts: [{image, blocks} or null]}
let asked = null; // performance.now() of the step that is not shown yet

async function ask(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error((await response.json()).error);
  return response.json();
}

// Promises by key, the latest KEPT of each stream.
class Kept {
  #found = new Map();

  constructor(make) { this.make = make; }

  get(key, ...args) {
    let found = this.#found.get(key);
    this.#found.delete(key);
    if (!found) {
      found = this.make(...args);
      found.catch(() => this.#found.delete(key));
    }
    this.#found.set(key, found);
    while (this.#found.size > KEPT * about.streams.length) {
      const [oldest, value] = this.#found.entries().next().value;
      this.#found.delete(oldest);
      value.then((picture) => picture.close?.(), () => {});
    }
    return found;
  }
}

const images = new Kept(async (url) => {
  const response = await fetch(url);
  if (!response.ok) throw new Error((await response.json()).error);
  return createImageBitmap(await response.blob());
});
const blockData = new Kept(async (url) => new Blocks(await ask(url)));

function part(stream, index) {
  if (index >= progress[stream].decoded) return null;
  if (state.layer === "error" || state.layer === "source") {
    if (reports[stream][index].psnr_y === undefined) return null; // the source is shorter
  }
  const place = `api/streams/${stream}/pictures/${index}`;
  const url = `${place}/${state.layer}.png?component=${state.component}&gain=${state.gain}`;
  return Promise.all([images.get(url, url), blockData.get(place, `${place}/blocks`)])
    .then(([image, blocks]) => ({ image, blocks }));
}

let busy = false, again = false;

// Show what `state` asks for.  While something is on its way, only the latest wish counts.
async function refresh() {
  again = true;
  if (busy) return;
  busy = true;
  document.documentElement.dataset.waits = "yes";
  try {
    while (again) {
      again = false;
      const { index } = state;
      const parts = await Promise.all(panels.map((_, stream) => part(stream, index)));
      shown = { index, parts };
      draw();
      if (asked !== null) {
        document.documentElement.dataset.stepMs = (performance.now() - asked).toFixed(1);
        asked = null;
      }
      if (parts.some(Boolean)) document.documentElement.dataset.shown = index;
    }
    prefetch();
  } catch (error) {
    complain(error.message);
  } finally {
    busy = false;
    delete document.documentElement.dataset.waits;
  }
}

function prefetch() {
  for (let k = 1; k <= AHEAD; k++) panels.forEach((_, stream) => part(stream, state.index + k)?.catch(() => {}));
}

function lastIndex() {
  return Math.max(...progress.map((p) => p.decoded)) - 1;
}

function go(index) {
  const wanted = Math.min(Math.max(index, 0), Math.max(lastIndex(), 0));
  if (wanted === state.index && shown) return;
  state.index = wanted;
  asked ??= performance.now();
  refresh();
}

async function play() {
  setPlaying(!state.playing);
  if (!state.playing) return;
  if (state.index >= lastIndex()) state.index = -1;
  let due = performance.now();
  while (state.playing) {
    if (state.index >= lastIndex()) {
      if (progress.every((p) => p.finished)) break;
    } else {
      state.index += 1;
      await refresh();
    }
    due = Math.max(due + 1000 / about.fps, performance.now());
    await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
  }
  setPlaying(false);
}

function setPlaying(playing) {
  state.playing = playing;
  $("play-shape").setAttribute("d", playing ? "M2 1h2v8H2zM6 1h2v8H6z" : "M1 1l8 4-8 4z");
}

// --- drawing -------------------------------------------------------------------------------------------------------

function makePanel(name, stream) {
  const figure = document.createElement("figure");
  figure.className = `panel stream-${stream}`;
  const caption = document.createElement("figcaption");
  const title = document.createElement("b");
  title.textContent = name.split("/").at(-1);
  title.title = name;
  const detail = document.createElement("span");
  caption.append(title, detail);
  const stage = document.createElement("div");
  stage.className = "stage";
  const canvas = document.createElement("canvas");
  canvas.id = `canvas-${stream}`;
  stage.append(canvas);
  figure.append(caption, stage);
  document.body.dataset.streams = about.streams.length;
  $("panels").append(figure);
  watch(canvas);
  return { canvas, detail };
}

function fit() {
  const { clientWidth: w, clientHeight: h } = panels[0].canvas;
  const scale = Math.min(w / about.width, h / about.height);
  state.view = { scale, x: (w - about.width * scale) / 2, y: (h - about.height * scale) / 2 };
  state.fitted = true;
}

let drawn = 0;

function draw() {
  if (!shown) return;
  cancelAnimationFrame(drawn);
  if (!state.view || state.fitted) fit();
  const fills = makeFills(shown.parts.map((found) => found?.blocks), state.fill);
  panels.forEach(({ canvas, detail }, stream) => {
    const found = shown.parts[stream], report = reports[stream][shown.index];
    drawPanel(canvas, state.view, found?.image, found?.blocks, {
      ...about, lines: state.lines, fill: state.fill, made: fills[stream], hover: state.hover,
      message: absence(stream, report),
    });
    detail.textContent = report ? `${report.type} picture, ${report.bits} bits` : "";
  });
  showFacts(fills);
  timeline.index = shown.index;
  timeline.draw();
  const place = `${shown.index + 1} of ${Math.max(lastIndex() + 1, 1)}`;
  $("position").textContent = `picture ${place}  ·  ${(state.view.scale * 100).toFixed(0)} %`;
}

function absence(stream, report) {
  if (report) return "the source has no such picture";
  return progress[stream].finished ? "this stream has no such picture" : "not decoded yet";
}

function drawSoon() {
  cancelAnimationFrame(drawn);
  drawn = requestAnimationFrame(draw);
}

function showFacts(fills) {
  const facts = panels.map((_, stream) => pictureFacts(reports[stream][shown.index]));
  const names = [...new Set(facts.flatMap(Object.keys))];
  const nodes = [table(names.map((name) => [name, ...facts.map((found) => found[name])]))];
  panels.forEach((_, stream) => {
    const r = reports[stream][shown.index];
    if (r) nodes.push(partsBar(r));
  });
  nodes.push(keys(Object.entries(PART_COLOURS).filter(([name]) => reports.some((list) => list[shown.index]?.parts[name]))
    .map(([name, colour]) => [name.replace("_", " "), colour])));
  $("picture-facts").replaceChildren(...nodes);
  showBlock();
  const found = legend(fills, state);
  $("legend-section").hidden = !found;
  if (found) {
    $("legend-title").textContent = found.title;
    $("legend").replaceChildren(...found.nodes);
  }
}

function showBlock() {
  if (!state.hover || !shown.parts.some(Boolean)) return;
  $("block-title").textContent = `Block at ${state.hover.x}, ${state.hover.y}`;
  const facts = shown.parts.map((found) => (found ? describe(found.blocks, state.hover.x, state.hover.y) : []));
  const names = facts.find((found) => found.length).map(([name]) => name);
  $("block-facts").replaceChildren(table(names.map((name, k) => [name, ...facts.map((found) => found[k]?.[1])])));
}

// --- pointer -------------------------------------------------------------------------------------------------------

function zoom(factor, x = panels[0].canvas.clientWidth / 2, y = panels[0].canvas.clientHeight / 2) {
  const { view } = state, scale = Math.min(Math.max(view.scale * factor, 0.05), 64);
  view.x = x - (x - view.x) * scale / view.scale;
  view.y = y - (y - view.y) * scale / view.scale;
  view.scale = scale;
  state.fitted = false;
  drawSoon();
}

function watch(canvas) {
  let from = null;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (state.view) zoom(2 ** (-event.deltaY / 300), event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    from = [event.offsetX, event.offsetY];
    canvas.classList.add("moving");
  });
  canvas.addEventListener("pointerup", () => { from = null; canvas.classList.remove("moving"); });
  canvas.addEventListener("pointerleave", () => { state.hover = null; drawSoon(); });
  canvas.addEventListener("pointermove", (event) => {
    if (!state.view) return;
    if (from) {
      state.view.x += event.offsetX - from[0];
      state.view.y += event.offsetY - from[1];
      from = [event.offsetX, event.offsetY];
      state.fitted = false;
    }
    const x = Math.floor((event.offsetX - state.view.x) / state.view.scale);
    const y = Math.floor((event.offsetY - state.view.y) / state.view.scale);
    state.hover = x >= 0 && y >= 0 && x < about.width && y < about.height ? { x, y } : null;
    drawSoon();
  });
}

// --- buttons and keys ----------------------------------------------------------------------------------------------

function buttons(id, names, pressed, press) {
  const made = Object.entries(names).map(([value, text], k) => {
    const button = document.createElement("button");
    button.textContent = text;
    button.dataset.value = value;
    button.addEventListener("click", () => { press(value, k); settle(); });
    return button;
  });
  $(id).replaceChildren(...made);
  return () => made.forEach((button) => button.setAttribute("aria-pressed", pressed(button.dataset.value)));
}

const layers = LAYER_ORDER.filter((name) => about.layers.includes(name));
const marks = [
  buttons("layers", Object.fromEntries(layers.map((name) => [name, LAYER_NAMES[name]])),
    (value) => value === state.layer, (value) => { state.layer = value; }),
  buttons("components", Object.fromEntries(about.components.map((name) => [name, name.toUpperCase()])),
    (value) => value === state.component, (value) => { state.component = value; }),
  buttons("gains", Object.fromEntries(about.gains.map((gain) => [gain, `×${gain}`])),
    (value) => +value === state.gain, (value) => { state.gain = +value; }),
  buttons("lines", LINE_NAMES, (value) => state.lines.has(value), toggleLine),
  buttons("fills", FILL_NAMES, (value) => value === state.fill, (value) => { state.fill = value; }),
];

function toggleLine(name) {
  if (!state.lines.delete(name)) state.lines.add(name);
}

function mark() {
  marks.forEach((markOne) => markOne());
  $("gain-group").classList.toggle("idle", !WITH_GAIN.includes(state.layer));
}

function settle() {
  mark();
  refresh();
}

const next = (list, value) => list[(list.indexOf(value) + 1) % list.length];
const actions = {
  ArrowLeft: (event) => go(state.index - (event.shiftKey ? 10 : 1)),
  ArrowRight: (event) => go(state.index + (event.shiftKey ? 10 : 1)),
  Home: () => go(0),
  End: () => go(lastIndex()),
  " ": play,
  "+": () => zoom(1.5),
  "=": () => zoom(1.5),
  "-": () => zoom(1 / 1.5),
  "0": () => { fit(); draw(); },
  y: () => { state.component = next(about.components, state.component); settle(); },
  g: () => { state.gain = next(about.gains, state.gain); settle(); },
  x: () => { state.lines.clear(); state.fill = "none"; settle(); },
};
for (const [key, name] of Object.entries(LINE_KEYS)) actions[key] = () => { toggleLine(name); settle(); };
for (const [key, name] of Object.entries(FILL_KEYS)) {
  actions[key] = () => { state.fill = state.fill === name ? "none" : name; settle(); };
}
layers.forEach((name, k) => { actions[k + 1] = () => { state.layer = name; settle(); }; });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const action = actions[event.key] ?? actions[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action(event);
});
const steps = { first: "Home", previous: "ArrowLeft", play: " ", next: "ArrowRight", last: "End" };
for (const [id, key] of Object.entries(steps)) {
  $(id).addEventListener("click", (event) => { actions[key](event); event.currentTarget.blur(); });
}
new ResizeObserver(drawSoon).observe($("panels"));
const timeline = new Timeline($("timeline"), $("tip"), reports, go);

// --- progress ------------------------------------------------------------------------------------------------------

function complain(text) {
  $("banner").hidden = false;
  $("banner").textContent = text;
}

async function poll() {
  try {
    const found = await ask(`api/state?have=${reports.map((list) => list.length).join(",")}`);
    found.forEach((stream, k) => {
      reports[k].push(...stream.reports);
      progress[k] = { decoded: stream.decoded, finished: stream.finished, error: stream.error };
    });
  } catch (error) {
    complain(`the viewer has ended (${error.message})`);
    return;
  }
  const errors = progress.map((p) => p.error).filter(Boolean);
  if (errors.length) complain(errors.join(" · "));
  const done = progress.every((p) => p.finished);
  const counts = progress.map((p) => p.decoded).join(" and ");
  $("progress").textContent = done ? `all ${counts} pictures decoded` : `decoding: ${counts} pictures`;
  document.documentElement.dataset.decoded = progress.map((p) => p.decoded).join(",");
  document.documentElement.dataset.finished = done;
  if (!shown || shown.parts.some((found, k) => !found && shown.index < progress[k].decoded)) await refresh();
  else draw();
  if (!done) setTimeout(poll, POLL);
}

document.title = `${about.streams.map((name) => name.split("/").at(-1)).join(" · ")} – codecsim view`;
setPlaying(false);
mark();
poll();
