"use strict";
(async () => {
  const byId = (id) => document.getElementById(id);

  async function unpack(id) {
    const packed = Uint8Array.from(atob(byId(id).textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  function sayTrouble(text) {
    byId("trouble").textContent = text;
    byId("trouble").hidden = false;
  }

  if (typeof DecompressionStream === "undefined") {
    sayTrouble("This browser is too old to draw the figures (it lacks DecompressionStream); the tables are complete.");
    return;
  }
  const script = document.createElement("script");
  script.textContent = await unpack("library");
  document.head.append(script);
  const report = JSON.parse(await unpack("data"));
  const slots = [...document.querySelectorAll("[data-figure]")];
  const hidden = new Set(report.arms.map((_, k) => k).filter((k) => k >= report.shown));
  const wantsDark = matchMedia("(prefers-color-scheme: dark)");
  const PRINTED_WIDTH = 680;  // pixels of CSS: A4 and letter without margins
  let printing = false;

  const isDark = () => wantsDark.matches && !printing;
  const config = () => Number(byId("config").value);
  const clip = () => Number(byId("clip").value);

  function keyOf(name) {
    const keys = { config: [config()], clip: [config(), clip()] };
    for (const id of ["qp", "metric"]) keys[id] = [config(), clip(), byId(id).value];
    return keys[report.figures[name].per].join("/");
  }

  function captionOf(name) {
    const label = (id) => byId(id).selectedOptions[0]?.textContent ?? "";
    const labels = [label("config")], per = report.figures[name].per;
    if (per !== "config") labels.push(label("clip"));
    if (per === "qp") labels.push(`QP ${label("qp")}`);
    if (per === "metric" && report.metrics.length > 1) labels.push(label("metric"));
    return labels.join(", ") + ".";
  }

  // The arms of a trace, or of its points, that are not hidden; null: nothing is left of it.
  function visiblePart(trace) {
    const { arm, arms } = trace.meta ?? {};
    if (arm !== undefined) return hidden.has(arm) ? null : trace;
    if (arms === undefined) return trace;
    const kept = arms.map((_, i) => i).filter((i) => !hidden.has(arms[i]));
    const take = (values) => kept.map((i) => values[i]);
    return { ...trace, x: trace.x.map(take), y: take(trace.y) };
  }

  function recoloured(value, dark) {
    if (!dark) return value;
    if (typeof value === "string") return report.dark[value] ?? value;
    if (Array.isArray(value)) return value;
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, found]) => [key, recoloured(found, dark)]));
    }
    return value;
  }

  function withTheme(layout, dark) {
    const text = dark ? "#e8e8e8" : "#1c1c1c", grid = dark ? "#34373c" : "#e6e6e6", frame = dark ? "#8a8a8a" : "#444444";
    const axis = {
      gridcolor: grid, linecolor: frame, zerolinecolor: frame, zeroline: false, showline: true, ticks: "outside",
      tickcolor: frame, automargin: true, dividercolor: frame,
    };
    const titles = (layout.annotations ?? []).length > 0;
    const legendY = 1 + (titles ? 24 : 8) / (layout.height - 75);
    const found = {
      font: { family: 'system-ui, "Liberation Sans", Arial, sans-serif', size: 12.5, color: text },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 55, r: 15, t: titles ? 28 : 12, b: 45 }, hovermode: "closest",
      ...layout,
      legend: { orientation: "h", x: 0, y: legendY, yanchor: "bottom", ...layout.legend },
    };
    for (const name of Object.keys(layout)) {
      if (!/^[xy]axis/.test(name)) continue;
      const title = { ...layout[name].title, font: { size: 12.5 }, standoff: 8 };
      found[name] = { ...axis, ...layout[name], title };
    }
    found.annotations = (layout.annotations ?? []).map((note) => ({ ...note, font: { size: 13 }, yshift: 2 }));
    return found;
  }

  function figureOf(name, dark) {
    const figure = report.figures[name].found[keyOf(name)];
    if (!figure) return null;
    const data = figure.data.map(visiblePart).filter((trace) => trace && trace.y.length);
    if (!data.length) return null;
    const layout = { ...figure.layout, shapes: recoloured(figure.layout.shapes ?? [], dark) };
    if (layout.meta?.row) layout.height = layout.meta.frame + layout.meta.row * new Set(data.map((t) => t.y[0])).size;
    if (printing) layout.width = PRINTED_WIDTH;
    return { data: data.map((trace) => recoloured(trace, dark)), layout: withTheme(layout, dark) };
  }

  function draw(slot) {
    const name = slot.dataset.figure, figure = figureOf(name, isDark());
    slot.closest("figure").querySelector(".of").textContent = captionOf(name);
    if (!figure) {
      if (slot.classList.contains("js-plotly-plot")) Plotly.purge(slot);
      const note = document.createElement("p");
      note.className = "empty";
      note.textContent = report.figures[name].without;
      slot.replaceChildren(note);
      return;
    }
    if (slot.printed !== printing) Plotly.purge(slot); // a width that was set once would stay
    slot.printed = printing;
    if (!slot.classList.contains("js-plotly-plot")) slot.replaceChildren();
    Plotly.react(slot, figure.data, figure.layout, { responsive: true, displaylogo: false, displayModeBar: false });
  }

  const drawAll = () => slots.forEach(draw);
  const drawPer = (kinds) => slots.filter((s) => kinds.includes(report.figures[s.dataset.figure].per)).forEach(draw);

  function fill(select, labels, values) {
    const before = select.selectedOptions[0]?.textContent;
    select.replaceChildren(...labels.map((label, k) => new Option(label, values ? values[k] : k)));
    const again = labels.indexOf(before);
    select.selectedIndex = again >= 0 ? again : 0;
  }

  function fillClips() {
    fill(byId("clip"), report.configs[config()].clips.map((found) => found.name));
  }

  function fillQps() {
    const qps = report.configs[config()].clips[clip()].qps;
    fill(byId("qp"), qps.map(String), qps);
  }

  function addArms() {
    report.arms.forEach((name, k) => {
      const label = document.createElement("label"), box = document.createElement("input");
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      const paint = () => { swatch.style.background = recoloured(report.colours[k], isDark()); };
      paint();
      wantsDark.addEventListener("change", paint);
      box.type = "checkbox";
      box.checked = !hidden.has(k);
      box.addEventListener("change", () => {
        if (box.checked) hidden.delete(k); else hidden.add(k);
        drawAll();
      });
      label.append(box, swatch, name);
      byId("arms").append(label);
    });
  }

  // On white, as wide as a page, with letters that can be read there.
  async function save(name, format) {
    const figure = figureOf(name, false);
    if (!figure) return;
    figure.layout = { ...figure.layout, paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff" };
    const parts = [report.title, name, captionOf(name)].join("_").replace(/[^\w.+-]+/g, "_").replace(/[_.]+$/, "");
    const size = { width: 1000, height: figure.layout.height, scale: format === "png" ? 3 : 1 };
    await Plotly.downloadImage(figure, { format, filename: parts, ...size });
  }

  fill(byId("config"), report.configs.map((found) => found.name));
  fillClips();
  fillQps();
  fill(byId("metric"), report.metrics.map((found) => found.title), report.metrics.map((found) => found.name));
  addArms();
  byId("config").addEventListener("change", () => { fillClips(); fillQps(); drawAll(); });
  byId("clip").addEventListener("change", () => { fillQps(); drawPer(["clip", "metric", "qp"]); });
  for (const id of ["qp", "metric"]) byId(id).addEventListener("change", () => drawPer([id]));
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  document.querySelectorAll("[data-format]").forEach((button) => {
    button.addEventListener("click", () => save(button.dataset.of, button.dataset.format));
  });
  wantsDark.addEventListener("change", drawAll);
  addEventListener("beforeprint", () => {
    printing = true;
    drawAll();
  });
  addEventListener("afterprint", () => { printing = false; drawAll(); });
  drawAll();
  document.documentElement.dataset.ready = "yes";
})().catch((error) => {
  const place = document.getElementById("trouble");
  place.textContent = `The figures cannot be drawn: ${error.message}`;
  place.hidden = false;
  throw error;
});
