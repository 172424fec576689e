// The scores of the selected runs with their protocols, and the doctor's findings.

const OPEN_PROTOCOLS = 4; // the details of this many protocols are unfolded at first

// Group the kinds of scores by protocol; return lists of indices into `page.kinds`.
function protocolGroups() {
  const groups = new Map();
  for (const [index, kind] of page.kinds.entries()) {
    const key = JSON.stringify([kind.protocol_name, kind.protocol]);
    groups.set(key, [...(groups.get(key) || []), index]);
  }
  return [...groups.values()];
}

// Make the table of runs and their scores of one protocol, sorted by the first score, best first.
function scoreTable(indices, shown) {
  const hasScore = (id) => indices.some((index) => scoreOf(runs[id], index));
  const [first] = indices;
  const sign = { higher: -1, lower: 1 }[page.kinds[first].better] || 0;
  const key = (id) => {
    const value = rankedOf(runs[id], first);
    return isNumber(value) ? sign * value : Infinity;
  };
  const ids = shown.filter(hasScore).sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a - b));
  const heads = indices.map((index) => {
    const { name, better } = page.kinds[index];
    const note = better ? el("small", { textContent: `${better} is better` }) : null;
    return el("th", { scope: "col", className: "number" }, ...broken(name), letterOf(index) && ` ${letterOf(index)}`, note);
  });
  const lines = ids.map((id) => {
    const how = [...new Set(indices.map((index) => scoreOf(runs[id], index)?.taken).filter(Boolean))];
    return el("tr", {},
      el("th", { scope: "row", className: "name" }, swatchOf(id), ` ${id + 1}  ${runs[id].label}`),
      ...indices.map((index) => scoreCell(scoreOf(runs[id], index), index)),
      el("td", { className: "quiet", textContent: how.map((text) => entryOf(TAKEN, text) || text).join(", ") }));
  });
  const head = el("tr", {}, el("th", { scope: "col", textContent: "Run" }), ...heads, el("th", { scope: "col", textContent: "Taken" }));
  const table = el("table", {}, el("thead", {}, head), el("tbody", {}, ...lines));
  return ids.length ? el("div", { className: "scroll" }, table) : null;
}

function drawScores() {
  const shown = selected();
  const cards = [];
  for (const indices of protocolGroups()) {
    const table = scoreTable(indices, shown);
    if (!table) continue;
    const { protocol, protocol_name: name } = page.kinds[indices[0]];
    const title = [protocol.metric, name].filter(Boolean).join(" · ") || page.kinds[indices[0]].name;
    const apart = indices.filter((index) => page.kinds[index].unlike).map((index) =>
      el("p", { className: "apart", textContent:
        `${page.kinds[index].name} ${letterOf(index)} cannot be compared with ${page.kinds[index].name} A: ${page.kinds[index].unlike}.` }));
    const how = el("details", { open: cards.length < OPEN_PROTOCOLS }, el("summary", { textContent: "How they were taken" }), protocolOf(page.kinds[indices[0]]));
    cards.push(el("div", { className: "card" }, el("h3", { textContent: title }), ...apart, table, how));
  }
  const none = notice(shown.length ? "The selected runs have no scores." : "Select runs in the table.");
  byId("score-list").replaceChildren(...(cards.length ? cards : [none]));
}

function diagnosisOf(id) {
  const run = runs[id];
  const card = el("div", { className: "card" }, heading(id));
  if (run.error) card.append(el("p", { className: "error", textContent: run.error }));
  card.append(...findingsOf(run.doctor));
  return card;
}

function drawFindings() {
  const shown = selected();
  const cards = shown.length ? shown.map(diagnosisOf) : [notice("Select runs in the table.")];
  byId("findings").replaceChildren(...cards);
}

function startVerdicts() {
  onSelection(drawScores);
  onSelection(drawFindings);
}
