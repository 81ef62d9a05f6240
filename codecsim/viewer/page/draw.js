// A panel: the picture, what is drawn over it, and the legends of that.
import { MODE, lossASample } from "./blocks.js";

const LINES = {
  ctu: { name: "CTU", colour: "#ffffff", width: 2 },
  cu: { name: "CU", colour: "#ffffff", width: 1 },
  pu: { name: "PU", colour: "#ffd34c", width: 1 },
  tu: { name: "TU", colour: "#6fe3a5", width: 1 },
};
const LIST_COLOURS = ["#ffb14c", "#56c8ff"];
const MODES = [
  ["intra", "#ff5d5d"], ["inter", "#5b8cff"], ["merge", "#36c5c9"], ["skip", "#58c46a"],
];
const EXPERTS = ["#ff9f43", "#b07cff", "#4cd3c2", "#f368e0"];
const INTRA_FILTER = "#ff5d5d", OVERLAP = "#ffffff", LOOP = "#ffe66d";
const HEAT = [[0, 0, 4], [66, 10, 104], [147, 38, 103], [221, 81, 58], [252, 165, 10], [252, 255, 164]];
const ANGLES = [0, 2, 5, 9, 13, 17, 21, 26, 32];

export const LINE_NAMES = { ...Object.fromEntries(Object.entries(LINES).map(([k, v]) => [k, v.name])), vectors: "vectors" };
export const FILL_NAMES = { none: "none", modes: "modes", filter: "filter", loss: "loss", bits: "bits", qp: "QP" };

function heat(t) {
  const at = Math.min(Math.max(t, 0), 1) * (HEAT.length - 1), k = Math.min(Math.floor(at), HEAT.length - 2);
  const mixed = HEAT[k].map((value, i) => Math.round(value + (HEAT[k + 1][i] - value) * (at - k)));
  return `rgb(${mixed.join(",")})`;
}

// Rectangles by colour, and how the legend explains them.
const FILLS = {
  modes(blocks) {
    const rectangles = new Map(MODES.map(([, colour]) => [colour, []]));
    for (const pu of blocks.pu) {
      const k = pu.mode === MODE.intra ? 0 : pu.mode === MODE.skip ? 3 : pu.merge ? 2 : 1;
      rectangles.get(MODES[k][1]).push([pu.x, pu.y, pu.width, pu.height]);
    }
    return { title: "Modes", rectangles, alpha: 0.4, keys: MODES };
  },

  filter(blocks) {
    const { data } = blocks, rectangles = new Map(), keys = [];
    const add = (colour, rectangle) => {
      if (!rectangles.has(colour)) rectangles.set(colour, []);
      rectangles.get(colour).push(rectangle);
    };
    const size = data.choice_size;
    for (const cu of blocks.cu) {
      if (cu.mode === MODE.intra) {
        if (cu.intraFilter) add(INTRA_FILTER, [cu.x, cu.y, cu.size, cu.size]);
        continue;
      }
      const step = Math.min(size, cu.size);
      for (let y = cu.y; data.filtering && y < cu.y + cu.size; y += step) {
        for (let x = cu.x; x < cu.x + cu.size; x += step) {
          const taken = data.filtering[blocks.choiceAt(x, y)];
          if (taken) add(EXPERTS[taken - 1], [x, y, step, step]);
        }
      }
    }
    data.experts.forEach((name, k) => keys.push([name, EXPERTS[k]]));
    if (rectangles.has(INTRA_FILTER)) keys.push(["intra filter", INTRA_FILTER]);
    if (data.overlap) keys.push(["OBMC (hatched)", OVERLAP]);
    if (data.loop) keys.push(["in-loop filter (outlined)", LOOP]);
    return { title: "Filter choice", rectangles, alpha: 0.45, keys, frames: true };
  },
};

// Heat maps: rectangles with a value each; one scale for all that is shown.
const HEATS = {
  loss: {
    title: "Loss",
    note: "no net learns from this picture",
    least: 0,
    cells(blocks) {
      const { loss, choice_size: size } = blocks.data;
      return (loss ?? []).map((_, k) => [
        (k % blocks.choicesWide) * size, Math.floor(k / blocks.choicesWide) * size, size, size, lossASample(blocks, k),
      ]);
    },
    format: (value) => `${value.toFixed(2)} a sample`,
  },
  bits: {
    title: "Bits of coding units, logarithmic",
    least: 0,
    cells: (blocks) => blocks.cu.map((cu) => [cu.x, cu.y, cu.size, cu.size, cu.bits / cu.size ** 2]),
    scale: (value) => Math.log1p(50 * value),
    format: (value) => `${value.toFixed(2)} a sample`,
  },
  qp: {
    title: "QP",
    cells: (blocks) => blocks.cu.map((cu) => [cu.x, cu.y, cu.size, cu.size, cu.qp]),
    format: (value) => `${value}`,
  },
};

function heatMap(name, cells, [least, most]) {
  const { title, note, scale = (value) => value, format } = HEATS[name];
  const span = scale(most) - scale(least), alone = HEATS[name].least === undefined ? 0.5 : 0;
  const rectangles = new Map();
  for (const [x, y, w, h, value] of cells) {
    const t = span > 0 ? (scale(value) - scale(least)) / span : alone;
    const colour = heat(Math.round(t * 32) / 32);
    if (!rectangles.has(colour)) rectangles.set(colour, []);
    rectangles.get(colour).push([x, y, w, h]);
  }
  return cells.length ? { title, rectangles, alpha: 0.6, scale: [format(least), format(most)] } : { title, rectangles, note };
}

// The fills of several pictures side by side: a list as long as `shown`, of null where there are no blocks.
export function makeFills(shown, name) {
  if (name === "none") return shown.map(() => null);
  if (FILLS[name]) return shown.map((blocks) => blocks && kept(blocks, name, () => FILLS[name](blocks)));
  const cells = shown.map((blocks) => (blocks ? kept(blocks, name, () => HEATS[name].cells(blocks)) : []));
  let least = HEATS[name].least ?? Infinity, most = -Infinity;
  for (const [, , , , value] of cells.flat()) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return shown.map((blocks, k) => (
    blocks && kept(blocks, `${name} ${least} ${most}`, () => heatMap(name, cells[k], [least, most]))
  ));
}

const made = new WeakMap();

function kept(blocks, name, make) {
  if (!made.has(blocks)) made.set(blocks, {});
  const found = made.get(blocks);
  return (found[name] ??= make());
}

// Everything of one panel. `view`: {scale, x, y}, size of a sample and place of the picture's corner in CSS pixels;
// `options`: width and height of the picture, lines, fill and what `makeFills` made, hover, message.
export function drawPanel(canvas, view, image, blocks, options) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  if (!image) {
    ctx.fillStyle = "#8b93a1";
    ctx.font = "13px system-ui, sans-serif";
    ctx.textAlign = "center";
    ctx.fillText(options.message, width / 2, height / 2);
    return;
  }
  ctx.imageSmoothingEnabled = view.scale * ratio < 1;
  ctx.drawImage(image, view.x, view.y, options.width * view.scale, options.height * view.scale);
  if (!blocks) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(view.x, view.y, options.width * view.scale, options.height * view.scale);
  ctx.clip();
  if (options.made) drawFill(ctx, view, blocks, options.made);
  for (const name of ["tu", "pu", "cu", "ctu"]) {
    if (options.lines.has(name)) drawLines(ctx, view, rectanglesOf(blocks, name), LINES[name]);
  }
  if (options.fill === "modes" && view.scale > 1.5) drawDirections(ctx, view, blocks);
  if (options.lines.has("vectors")) drawVectors(ctx, view, blocks);
  if (options.hover) drawHover(ctx, view, blocks, options.hover);
  ctx.restore();
}

function rectanglesOf(blocks, name) {
  if (name === "pu") return blocks.pu.map((r) => [r.x, r.y, r.width, r.height]);
  if (name !== "ctu") return blocks[name].map((r) => [r.x, r.y, r.size, r.size]);
  const size = blocks.data.ctu_size;
  return blocks.ctuBits.map((_, k) => [(k % blocks.ctusWide) * size, Math.floor(k / blocks.ctusWide) * size, size, size]);
}

function drawFill(ctx, view, blocks, fill) {
  ctx.save();
  ctx.translate(view.x, view.y);
  ctx.scale(view.scale, view.scale);
  ctx.globalAlpha = fill.alpha ?? 1;
  for (const [colour, rectangles] of fill.rectangles) {
    ctx.fillStyle = colour;
    ctx.beginPath();
    for (const [x, y, w, h] of rectangles) ctx.rect(x, y, w, h);
    ctx.fill();
  }
  ctx.restore();
  if (!fill.frames) return;
  const { data } = blocks, size = data.choice_size;
  if (data.overlap) {
    ctx.strokeStyle = OVERLAP;
    ctx.globalAlpha = 0.35;
    ctx.lineWidth = 1;
    ctx.beginPath();
    data.overlap.forEach((taken, k) => {
      if (!taken) return;
      const x = (k % blocks.choicesWide) * size, y = Math.floor(k / blocks.choicesWide) * size;
      for (let d = 8; d < 2 * size; d += 8) {
        line(ctx, view, x + Math.max(0, d - size), y + Math.min(d, size), x + Math.min(d, size), y + Math.max(0, d - size));
      }
    });
    ctx.stroke();
    ctx.globalAlpha = 1;
  }
  if (data.loop) {
    const side = data.loop.size, wide = Math.ceil(data.width / side);
    const chosen = data.loop.flags[0].flatMap((flag, k) =>
      flag ? [[(k % wide) * side + 1, Math.floor(k / wide) * side + 1, side - 2, side - 2]] : []);
    drawLines(ctx, view, chosen, { colour: LOOP, width: 1.5 });
  }
}

function line(ctx, view, x0, y0, x1, y1) {
  ctx.moveTo(x0 * view.scale + view.x, y0 * view.scale + view.y);
  ctx.lineTo(x1 * view.scale + view.x, y1 * view.scale + view.y);
}

function drawLines(ctx, view, rectangles, { colour, width }) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.globalAlpha = width > 1 ? 0.9 : 0.6;
  ctx.beginPath();
  for (const [x, y, w, h] of rectangles) {
    const left = Math.round(x * view.scale + view.x) + 0.5, top = Math.round(y * view.scale + view.y) + 0.5;
    ctx.rect(left, top, Math.round((x + w) * view.scale + view.x) + 0.5 - left,
      Math.round((y + h) * view.scale + view.y) + 0.5 - top);
  }
  ctx.stroke();
  ctx.globalAlpha = 1;
}

// Direction (x, y) of an angular intra mode: where its prediction comes from.
function direction(mode) {
  const offset = mode >= 18 ? mode - 26 : 10 - mode;
  const angle = Math.sign(offset) * ANGLES[Math.abs(offset)] / 32;
  return mode >= 18 ? [angle, -1] : [-1, angle];
}

function drawDirections(ctx, view, blocks) {
  ctx.strokeStyle = "#fff";
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (const pu of blocks.pu) {
    if (pu.mode !== MODE.intra || pu.intraLuma < 2) continue;
    const [dx, dy] = direction(pu.intraLuma), reach = pu.width * 0.38;
    const x = pu.x + pu.width / 2, y = pu.y + pu.height / 2;
    line(ctx, view, x - dx * reach, y - dy * reach, x + dx * reach, y + dy * reach);
  }
  ctx.stroke();
}

function drawVectors(ctx, view, blocks) {
  for (const list of [0, 1]) {
    ctx.strokeStyle = ctx.fillStyle = LIST_COLOURS[list];
    ctx.lineWidth = 1.3;
    ctx.beginPath();
    const dots = [];
    for (const pu of blocks.pu) {
      if (pu.mode === MODE.intra || pu[`ref${list}`] < 0) continue;
      const x = (pu.x + pu.width / 2) * view.scale + view.x, y = (pu.y + pu.height / 2) * view.scale + view.y;
      const dx = pu[`mv${list}x`] / 4 * view.scale, dy = pu[`mv${list}y`] / 4 * view.scale;
      dots.push([x, y]);
      const length = Math.hypot(dx, dy);
      if (length < 2) continue;
      ctx.moveTo(x, y);
      ctx.lineTo(x + dx, y + dy);
      const head = Math.min(6, length / 2), angle = Math.atan2(dy, dx);
      for (const turn of [2.6, -2.6]) {
        ctx.moveTo(x + dx, y + dy);
        ctx.lineTo(x + dx + head * Math.cos(angle + turn), y + dy + head * Math.sin(angle + turn));
      }
    }
    ctx.stroke();
    for (const [x, y] of dots) ctx.fillRect(x - 1.5, y - 1.5, 3, 3);
  }
}

function drawHover(ctx, view, blocks, { x, y }) {
  const cu = blocks.at("cu", x, y), tu = blocks.at("tu", x, y);
  drawLines(ctx, view, [[tu.x, tu.y, tu.size, tu.size]], { colour: LINES.tu.colour, width: 1 });
  drawLines(ctx, view, [[cu.x, cu.y, cu.size, cu.size]], { colour: "#4cb8ff", width: 2 });
}

// What the colours mean, as DOM nodes; null where there is nothing to say.
export function legend(fills, options) {
  const fill = fills.find((found) => found?.scale) ?? fills.find(Boolean);
  const nodes = [];
  if (fill?.keys) nodes.push(keys(fill.keys));
  if (fill?.scale) {
    const bar = document.createElement("div");
    bar.className = "scale";
    bar.style.background = `linear-gradient(90deg, ${HEAT.map((_, k) => heat(k / (HEAT.length - 1))).join(",")})`;
    const ends = document.createElement("div");
    ends.className = "ends";
    ends.append(...fill.scale.map((text) => Object.assign(document.createElement("span"), { textContent: text })));
    nodes.push(bar, ends);
  }
  if (fill?.note || (fill?.keys && !fill.keys.length)) {
    const note = document.createElement("p");
    note.className = "quiet";
    note.textContent = fill.note ?? "nothing is filtered here";
    nodes.push(note);
  }
  if (options.lines.has("vectors")) nodes.push(keys([["vectors of list 0", LIST_COLOURS[0]], ["list 1", LIST_COLOURS[1]]]));
  return nodes.length ? { title: fill?.title ?? "Motion", nodes } : null;
}

export function keys(pairs) {
  const box = document.createElement("div");
  box.className = "keys";
  for (const [name, colour] of pairs) {
    const key = document.createElement("span"), mark = document.createElement("i");
    key.className = "key";
    mark.style.background = colour;
    key.append(mark, name);
    box.append(key);
  }
  return box;
}
