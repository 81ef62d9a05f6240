// What is told about a picture: its table, and the bar of what its bits are for.
export const PART_COLOURS = {
  headers: "#8b93a1", modes: "#5b8cff", motion: "#36c5c9", residual: "#ffb14c", learned_flags: "#b07cff",
  loop_filter: "#ffe66d",
};

// Rows of [name, text for each stream]; those without any text are left out.
export function table(rows) {
  const found = document.createElement("table");
  if (rows[0]?.length > 2) {
    const head = found.createTHead().insertRow();
    for (const text of ["", "A", "B"]) head.append(Object.assign(document.createElement("th"), { textContent: text }));
  }
  const body = found.createTBody();
  for (const [name, ...texts] of rows) {
    if (!texts.some(Boolean)) continue;
    const row = body.insertRow(), head = document.createElement("th");
    head.scope = "row";
    head.textContent = name.trim();
    head.classList.toggle("part", name.startsWith(" "));
    row.append(head);
    for (const text of texts) row.insertCell().textContent = text || "–";
  }
  return found;
}

const percent = (value) => (value === undefined ? "" : `${(100 * value).toFixed(1)} %`);

// Texts by name for the report of a picture, or none.
export function pictureFacts(r) {
  if (!r) return {};
  const experts = Object.entries(r.expert_shares ?? {}).filter(([, share]) => share > 0);
  return {
    type: `${r.type}, POC ${r.poc}`,
    coded: ordinal(r.coding_index + 1),
    QP: `${r.qp}`,
    bits: `${r.bits}`,
    "bits of hashes": `${r.hash_bits}`,
    "PSNR Y": r.psnr_y === undefined ? "" : `${r.psnr_y.toFixed(2)} dB`,
    "U, V": r.psnr_u === undefined ? "" : `${r.psnr_u.toFixed(2)}, ${r.psnr_v.toFixed(2)}`,
    filtered: [percent(r.filtered_share), ...experts.map(([name, share]) => `${name} ${percent(share)}`)].join("\n"),
    overlapped: percent(r.overlapped_share),
    "in-loop filter": percent(r.loop_share),
    loss: r.loss === undefined ? "" : `${r.loss}`,
    accumulated: r.accumulated_loss === undefined || r.accumulated_loss === r.loss ? "" : `${r.accumulated_loss}`,
    trained: r.trained_steps === undefined ? "" : `${r.trained_steps} steps`,
    "  chroma": r.chroma_trained_steps === undefined ? "" : `${r.chroma_trained_steps} steps`,
    "intra trained": r.intra_trained_steps === undefined ? "" : `${r.intra_trained_steps} steps`,
    order: r.learner_order ?? "",
    "learner reset": r.reset ? "yes" : "",
  };
}

function ordinal(n) {
  const tens = n % 100;
  return n + (tens > 10 && tens < 14 ? "th" : ["th", "st", "nd", "rd"][n % 10] ?? "th");
}

export function partsBar(report) {
  const bar = document.createElement("div");
  bar.className = "parts";
  for (const [name, bits] of Object.entries(report.parts)) {
    const share = document.createElement("i");
    share.style.width = `${100 * bits / report.bits}%`;
    share.style.background = PART_COLOURS[name] ?? "#fff";
    share.title = `${name.replace("_", " ")}: ${bits} bits`;
    bar.append(share);
  }
  return bar;
}
