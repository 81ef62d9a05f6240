// Block data of a picture: the flat lists of the server as rows, and what stands at a place.
// The order of the fields is that of codecsim/viewer/overlays.py.

export const MODE = { intra: 1, inter: 2, skip: 3 };
const MODE_NAMES = ["", "intra", "inter", "skip"];
const PART_NAMES = ["2N×2N", "2N×N", "N×2N", "N×N", "2N×nU", "2N×nD", "nL×2N", "nR×2N"];
const SAO_NAMES = ["off", "band", "edge"];
const CU_FIELDS = ["x", "y", "size", "mode", "part", "qp", "intraFilter", "bits"];
const PU_FIELDS = [
  "x", "y", "width", "height", "mode", "merge", "ref0", "ref1", "poc0", "poc1",
  "mv0x", "mv0y", "mv1x", "mv1y", "intraLuma", "intraChroma",
];
const TU_FIELDS = ["x", "y", "size", "cbf"];

function rows(flat, fields) {
  const found = new Array(flat.length / fields.length);
  for (let k = 0; k < found.length; k++) {
    const row = {};
    fields.forEach((name, i) => { row[name] = flat[k * fields.length + i]; });
    found[k] = row;
  }
  return found;
}

export class Blocks {
  constructor(data) {
    this.data = data;
    this.unitsWide = data.width / 4;
    const one = 2 ** data.bits_q;
    this.cu = rows(data.cu, CU_FIELDS);
    this.pu = rows(data.pu, PU_FIELDS);
    this.tu = rows(data.tu, TU_FIELDS);
    for (const cu of this.cu) cu.bits /= one;
    this.ctuBits = data.ctu_bits_q8.map((bits) => bits / one);
    this.ctusWide = Math.ceil(data.width / data.ctu_size);
    this.choicesWide = Math.ceil(data.width / data.choice_size);
  }

  // Index into a list of units at every 4x4 unit, made when somebody asks.
  #map(name) {
    const key = `${name}Map`;
    if (!this[key]) {
      const map = new Int32Array(this.unitsWide * (this.data.height / 4));
      this[name].forEach((r, k) => {
        const right = (r.x + (r.size ?? r.width)) / 4, bottom = (r.y + (r.size ?? r.height)) / 4;
        for (let y = r.y / 4; y < bottom; y++) map.fill(k, y * this.unitsWide + r.x / 4, y * this.unitsWide + right);
      });
      this[key] = map;
    }
    return this[key];
  }

  at(name, x, y) {
    return this[name][this.#map(name)[(y >> 2) * this.unitsWide + (x >> 2)]];
  }

  choiceAt(x, y) {
    const size = this.data.choice_size;
    return Math.floor(y / size) * this.choicesWide + Math.floor(x / size);
  }

  ctuAt(x, y) {
    const size = this.data.ctu_size;
    return Math.floor(y / size) * this.ctusWide + Math.floor(x / size);
  }

  // Samples that a 32x32 block has inside the coded picture.
  choiceArea(k) {
    const size = this.data.choice_size;
    const x = (k % this.choicesWide) * size, y = Math.floor(k / this.choicesWide) * size;
    return Math.min(size, this.data.width - x) * Math.min(size, this.data.height - y);
  }

  loopAt(x, y, component) {
    const { loop, width } = this.data;
    return loop.flags[component][Math.floor(y / loop.size) * Math.ceil(width / loop.size) + Math.floor(x / loop.size)];
  }
}

export function intraModeName(mode) {
  if (mode === 0) return "planar";
  if (mode === 1) return "DC";
  return `angular ${mode}`;
}

const signed = (quarters) => (quarters < 0 ? "−" : "+") + Math.abs(quarters / 4).toFixed(2);

function motion(pu, list) {
  if (pu[`ref${list}`] < 0) return "";
  return `${signed(pu[`mv${list}x`])} ${signed(pu[`mv${list}y`])} → ${pu[`poc${list}`]}`;
}

function chromaName(pu) {
  return ["planar", "angular 26", "angular 10", "DC", "as luma"][pu.intraChroma];
}

function coded(cbf) {
  const names = ["Y", "U", "V"].filter((_, k) => cbf & (1 << k));
  return names.map((name) => name + (cbf & (8 << "YUV".indexOf(name)) ? " skip" : "")).join(" ") || "not coded";
}

// [name, text] of all that is known of the block at a luma sample; texts are empty where they do not apply.
export function describe(blocks, x, y) {
  const { data } = blocks;
  const cu = blocks.at("cu", x, y), pu = blocks.at("pu", x, y), tu = blocks.at("tu", x, y);
  const intra = cu.mode === MODE.intra;
  const choice = blocks.choiceAt(x, y), ctu = blocks.ctuAt(x, y);
  const facts = [
    ["CU", `${cu.size}×${cu.size}`],
    ["mode", MODE_NAMES[cu.mode] + (pu.merge ? `, merge ${pu.merge - 1}` : "")],
    ["PU", `${pu.width}×${pu.height}, ${PART_NAMES[cu.part]}`],
    ["intra luma", intra ? intraModeName(pu.intraLuma) : ""],
    ["intra chroma", intra ? chromaName(pu) : ""],
    ["list 0 → POC", intra ? "" : motion(pu, 0)],
    ["list 1 → POC", intra ? "" : motion(pu, 1)],
    ["TU", `${tu.size}×${tu.size}, ${coded(tu.cbf)}`],
    ["QP", `${cu.qp}`],
    ["bits of CU", cu.bits.toFixed(1)],
    ["  a sample", (cu.bits / cu.size ** 2).toFixed(3)],
    ["bits of CTU", blocks.ctuBits[ctu].toFixed(1)],
  ];
  let filter = "";
  if (intra) filter = cu.intraFilter ? "intra" : "";
  else if (data.filtering) filter = data.filtering[choice] ? data.experts[data.filtering[choice] - 1] : "none";
  facts.push(["filter", filter + (data.chroma_filtered && filter && filter !== "none" && !intra ? ", chroma too" : "")]);
  facts.push(["OBMC", data.overlap && !intra ? (data.overlap[choice] ? "yes" : "no") : ""]);
  facts.push([`loss, ${data.choice_size}×${data.choice_size}`, data.loss ? `${data.loss[choice]}` : ""]);
  facts.push(["  a sample", data.loss ? lossASample(blocks, choice).toFixed(2) : ""]);
  facts.push(["SAO", [0, 1, 2].map((c) => SAO_NAMES[data.sao[c][ctu]]).join(", ")]);
  const loop = data.loop ? ["Y", "U", "V"].filter((_, c) => blocks.loopAt(x, y, c)).join(", ") || "no" : "";
  facts.push(["in-loop filter", loop]);
  return facts;
}

export function lossASample(blocks, choice) {
  return blocks.data.loss[choice] / blocks.choiceArea(choice);
}
