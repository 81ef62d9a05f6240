// The strip at the bottom: bits, PSNR, loss, and what the learner did, picture by picture.

const STREAMS = ["#4cb8ff", "#ffb14c"];
const INTRA = "#ff7d7d", TRAINED = "#58c46a", RESET = "#ff5d5d";
const LEFT = 54, RIGHT = 46;
const ROWS = [ // share of the height
  { name: "√ bits", from: 0, to: 0.36 },
  { name: "PSNR Y", from: 0.4, to: 0.62 },
  { name: "loss", from: 0.66, to: 0.86 },
  { name: "training", from: 0.88, to: 1 },
];

export class Timeline {
  // `reports`: a list for each stream, which grows; `jump`: called with a place.
  constructor(canvas, tip, reports, jump) {
    Object.assign(this, { canvas, tip, reports, index: 0 });
    const place = (event) => this.placeAt(event.offsetX);
    let dragging = false;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      dragging = true;
      jump(place(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (dragging) jump(place(event));
      this.showTip(place(event), event.offsetX);
    });
    canvas.addEventListener("pointerup", () => { dragging = false; });
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  }

  get count() {
    return Math.max(...this.reports.map((list) => list.length), 1);
  }

  get step() {
    return Math.min((this.canvas.clientWidth - LEFT - RIGHT) / this.count, 40);
  }

  placeAt(x) {
    return Math.min(Math.max(Math.floor((x - LEFT) / this.step), 0), this.count - 1);
  }

  showTip(index, x) {
    const lines = this.reports.map((list, k) => {
      const r = list[index];
      if (!r) return null;
      const parts = [`${r.type} POC ${r.poc}`, `${r.bits} bits`];
      if (r.psnr_y !== undefined) parts.push(`${r.psnr_y.toFixed(2)} dB`);
      if (r.loss !== undefined) parts.push(`loss ${r.loss}`);
      if (steps(r)) parts.push(`${steps(r)} steps of training`);
      if (r.reset) parts.push("reset");
      return (this.reports.length > 1 ? `${"AB"[k]}  ` : "") + parts.join("  ");
    }).filter(Boolean);
    this.tip.hidden = !lines.length;
    this.tip.textContent = [`picture ${index + 1}`, ...lines].join("\n");
    this.tip.style.left = `${Math.min(Math.max(x - 60, 0), this.canvas.clientWidth - 330)}px`;
  }

  draw() {
    const { canvas } = this, ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const ctx = canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    ctx.font = "11px system-ui, sans-serif";
    ctx.textBaseline = "middle";
    const x = (index) => LEFT + index * this.step, step = this.step;
    ctx.fillStyle = "rgba(255, 255, 255, .09)";
    ctx.fillRect(x(this.index), 0, step, height);
    const rows = ROWS.map((row) => ({ name: row.name, top: row.from * height, bottom: row.to * height }));
    for (const row of rows) {
      ctx.fillStyle = "#8b93a1";
      ctx.fillText(row.name, 0, (row.top + row.bottom) / 2);
      ctx.fillStyle = "#2c313a";
      ctx.fillRect(LEFT, Math.round(row.bottom), width - LEFT - RIGHT, 1);
    }
    this.drawBits(ctx, x, step, rows[0]);
    this.drawCurve(ctx, x, step, rows[1], "psnr_y", (value) => value.toFixed(1), "no source given");
    this.drawCurve(ctx, x, step, rows[2], "loss", short, "no net learns in this stream", 0);
    this.drawEvents(ctx, x, step, rows[3]);
    ctx.strokeStyle = "#fff";
    ctx.lineWidth = 1;
    const at = Math.round(x(this.index) + step / 2) + 0.5;
    ctx.beginPath();
    ctx.moveTo(at, 0);
    ctx.lineTo(at, height);
    ctx.stroke();
  }

  drawBits(ctx, x, step, row) {
    const most = this.reports.flat().reduce((value, r) => Math.max(value, r.bits), 1);
    const streams = this.reports.length, gap = step > 4 ? 1 : 0;
    this.reports.forEach((list, k) => list.forEach((r, index) => {
      const high = Math.max(Math.sqrt(r.bits / most) * (row.bottom - row.top), 1), wide = (step - gap) / streams;
      ctx.fillStyle = STREAMS[k];
      ctx.fillRect(x(index) + k * wide, row.bottom - high, Math.max(wide, 0.5), high);
      if (r.type === "I") {
        ctx.fillStyle = INTRA;
        ctx.fillRect(x(index) + k * wide, row.bottom - high, Math.max(wide, 1), 2);
      }
    }));
    scaleText(ctx, row, short(most), "0", this.canvas.clientWidth);
  }

  drawCurve(ctx, x, step, row, name, format, absent, least = Infinity) {
    const values = this.reports.flat().map((r) => r[name]).filter((value) => value !== undefined);
    if (!values.length) {
      ctx.fillStyle = "#565d69";
      ctx.fillText(absent, LEFT + 4, (row.top + row.bottom) / 2);
      return;
    }
    const low = values.reduce((a, b) => Math.min(a, b), least), high = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const y = (value) => row.bottom - 2 - (value - low) / Math.max(high - low, 1e-9) * (row.bottom - row.top - 4);
    this.reports.forEach((list, k) => {
      ctx.strokeStyle = ctx.fillStyle = STREAMS[k];
      ctx.lineWidth = 1.4;
      ctx.beginPath();
      let open = false;
      list.forEach((r, index) => {
        if (r[name] === undefined) { open = false; return; }
        const at = x(index) + step / 2;
        if (open) ctx.lineTo(at, y(r[name])); else ctx.moveTo(at, y(r[name]));
        open = true;
        if (step > 6) ctx.fillRect(at - 1.5, y(r[name]) - 1.5, 3, 3);
      });
      ctx.stroke();
    });
    scaleText(ctx, row, format(high), format(low), this.canvas.clientWidth);
  }

  // A bar for each picture that a net was trained with, as high as it took steps; a diamond for a reset.
  drawEvents(ctx, x, step, row) {
    const most = this.reports.flat().reduce((value, r) => Math.max(value, steps(r)), 1);
    const wide = step / this.reports.length, middle = (row.top + row.bottom) / 2;
    this.reports.forEach((list, k) => list.forEach((r, index) => {
      const left = x(index) + k * wide;
      if (steps(r)) {
        const high = Math.max(steps(r) / most * (row.bottom - row.top), 2);
        ctx.fillStyle = TRAINED;
        ctx.fillRect(left, row.bottom - high, Math.max(wide - 1, 1), high);
      }
      if (r.reset) {
        ctx.fillStyle = RESET;
        ctx.beginPath();
        const centre = left + wide / 2;
        for (const [dx, dy] of [[0, -6], [5, 0], [0, 6], [-5, 0]]) ctx.lineTo(centre + dx, middle + dy);
        ctx.fill();
      }
    }));
  }
}

// Of all nets, after a picture or within it.
function steps(r) {
  return (r.trained_steps ?? 0) + (r.chroma_trained_steps ?? 0) + (r.intra_trained_steps ?? 0);
}

function scaleText(ctx, row, high, low, width) {
  ctx.fillStyle = "#8b93a1";
  ctx.fillText(high, width - RIGHT + 6, row.top + 5);
  ctx.fillText(low, width - RIGHT + 6, row.bottom - 5);
}

function short(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
  return value >= 1e4 ? `${Math.round(value / 1e3)}k` : `${Math.round(value)}`;
}
