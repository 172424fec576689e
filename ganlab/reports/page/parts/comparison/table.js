// The table of runs: columns, sorting, selection.

const SHOWN_SETTINGS = 3;
const SHOWN_SCORES = 2;
function scoreOf(run, kind) {
  return run.scores.find((score) => score.kind === kind) || null;
}

// Return a run's ranked score of a kind, else null.
function rankedOf(run, kind) {
  const score = scoreOf(run, kind);
  return score && score.counts ? score.value : null;
}

// For each kind of score, the best value among the runs; null if fewer than two runs are ranked.
const bestOf = page.kinds.map((kind, index) => {
  const values = runs.map((run) => rankedOf(run, index)).filter(isNumber);
  if (values.length < 2 || !kind.better) return null;
  return kind.better === "lower" ? Math.min(...values) : Math.max(...values);
});

const judges = page.kinds.map((_, index) => index)
  .filter((index) => page.kinds[index].better || page.kinds[index].name === page.table.score);
const narrow = matchMedia("(max-width: 40rem)").matches; // only the state and a score are shown

// The columns that are shown at first, unless they were chosen in the menu: the settings that differ
// between the shown runs, and the main score and the scores that most of these runs have.
const shownFirst = { settings: [], scores: [] };

// Choose `shownFirst` for the runs that are shown; return whether it has changed.
function chooseColumns(ids) {
  const differs = (key) => new Set(ids.map((id) => setting(key, id))).size > 1;
  const counts = page.kinds.map((_, index) => ids.filter((id) => scoreOf(runs[id], index)).length);
  const isMain = (index) => page.kinds[index].name === page.table.score;
  const byUse = (a, b) => isMain(b) - isMain(a) || counts[b] - counts[a] || a - b;
  const scores = judges.filter((index) => counts[index]).sort(byUse);
  const before = JSON.stringify(shownFirst);
  shownFirst.settings = page.varying.filter(differs).slice(0, SHOWN_SETTINGS);
  shownFirst.scores = scores.slice(0, narrow ? 1 : SHOWN_SCORES);
  return JSON.stringify(shownFirst) !== before;
}

// Each column: `name`, `shown` (whether it is shown, or a function that returns it), `of` (a function from a run to the value to sort by), `cell` (from a run to a cell).
const columns = [
  { key: "label", name: "Run", of: (run) => run.label, cell: nameCell, always: true },
  {
    key: "state", name: "State", of: (run) => run.state, shown: true,
    cell: (run) => tagCell(run.state, entryOf(STATES, run.state)),
  },
  {
    key: "doctor", name: "Doctor", of: condition, shown: true,
    cell: (run) => condition(run) === null
      ? textCell(null)
      : tagCell(condition(run), toneOf(run.doctor.findings[0])),
  },
  ...page.varying.map((key) => ({
    key: `setting:${key}`, name: key, shown: () => !narrow && shownFirst.settings.includes(key),
    of: (run, id) => comparable(setting(key, id)),
    cell: (run, id) => textCell(setting(key, id)),
  })),
  {
    key: "seed", name: "Seed", of: (run) => run.seed, shown: true,
    cell: (run) => numberCell(run.seed === null ? "–" : String(run.seed)), numeric: true,
  },
  ...page.kinds.map((kind, index) => ({
    key: `score:${index}`, name: kind.name, note: protocolNote(kind, index), numeric: true,
    shown: () => shownFirst.scores.includes(index), descends: kind.better === "higher",
    of: (run) => rankedOf(run, index),
    cell: (run) => scoreCell(scoreOf(run, index), index),
  })),
  {
    key: "seconds", name: "Time", of: (run) => run.seconds, shown: true, numeric: true,
    cell: (run) => numberCell(duration(run.seconds)),
  },
  {
    key: "examples", name: "Examples", of: (run) => run.examples, shown: true, numeric: true,
    cell: (run) => numberCell(number(run.examples)),
  },
  {
    key: "memory", name: "Memory", note: "peak, MiB", of: (run) => run.memory, shown: true, numeric: true,
    cell: (run) => numberCell(isNumber(run.memory) ? withCommas.format(Math.round(run.memory)) : "–"),
  },
  {
    key: "started", name: "Started", of: (run) => run.started, shown: false,
    cell: (run) => textCell(run.started ? run.started.slice(0, 16).replace("T", " ") : null),
  },
];

if (narrow) {
  for (const column of columns) if (column.shown === true) column.shown = column.key === "state";
}

const isShown = (column) => (typeof column.shown === "function" ? column.shown() : column.shown);

// Return a setting's text, converted to a number if possible, so that numbers are sorted by value.
function comparable(text) {
  if (text === null || text === "null") return null;
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

// Return the letter that distinguishes kinds of scores of the same name; "" for a single kind.
function letterOf(index) {
  const same = page.kinds.map((kind, i) => (kind.name === page.kinds[index].name ? i : -1)).filter((i) => i >= 0);
  return same.length > 1 ? String.fromCharCode(65 + same.indexOf(index)) : "";
}

function protocolNote(kind, index) {
  const letter = letterOf(index);
  const direction = { lower: "lower is better", higher: "higher is better" }[kind.better];
  return [letter && `protocol ${letter}`, kind.protocol_name, direction].filter(Boolean).join(" · ");
}

function nameCell(run, id) {
  const box = el("input", {
    type: "checkbox", checked: slots.has(id), "aria-label": `Select run ${id + 1}, ${run.label}`,
    onchange: (event) => select([id], event.currentTarget.checked),
  });
  const words = el("span", { textContent: run.label, title: run.folder || "" });
  if (run.error) words.append(el("small", { className: "error", textContent: run.error.split("\n")[0].slice(0, 160) }));
  const no = el("span", { className: "no", textContent: String(id + 1) });
  return el("th", { scope: "row", className: "name" }, el("label", {}, box, no, words));
}

function scoreCell(score, index) {
  if (!score) return numberCell("–");
  const cell = numberCell(number(score.value));
  if (!score.counts) cell.append(el("small", { textContent: "not finished" }));
  else if (bestOf[index] !== null && score.value === bestOf[index]) {
    cell.classList.add("best");
    cell.title = "The best score with this protocol";
  }
  return cell;
}

const order = { key: null, descending: false };
let rows = []; // one table row for each run, by the run's index
const body = el("tbody");

const shownColumns = () => columns.filter((column) => column.always || isShown(column));

function drawTable() {
  chooseColumns(shownRuns());
  const heads = shownColumns().map((column) => {
    const button = el("button", { type: "button", onclick: () => sortBy(column.key) }, ...broken(column.name));
    const notes = (column.note || "").split(" · ").filter(Boolean).map((text) => el("small", { textContent: text }));
    const kind = [column.numeric && "number", column.always && "name", column.key.startsWith("score") && "score"].filter(Boolean).join(" ");
    return el("th", { scope: "col", className: kind, "aria-sort": "none", "data-key": column.key }, button, ...notes);
  });
  rows = runs.map((run, id) => el("tr", {}, ...shownColumns().map((column) => column.cell(run, id))));
  byId("table").replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body));
  arrange();
  markSelection();
}

function sortBy(key) {
  const column = columns.find((other) => other.key === key);
  order.descending = order.key === key ? !order.descending : Boolean(column.descends);
  order.key = key;
  arrange();
}

// Sort the rows by the chosen column; runs without a value come last in both directions.
function arrange() {
  const column = columns.find((other) => other.key === order.key);
  const ids = runs.map((_, id) => id);
  if (column) {
    const values = runs.map((run, id) => column.of(run, id));
    const isMissing = (value) => value === null || value === undefined || (column.numeric && !isNumber(value));
    const sign = order.descending ? -1 : 1;
    ids.sort((a, b) => {
      const missing = isMissing(values[a]) - isMissing(values[b]);
      if (missing || isMissing(values[a])) return missing || a - b;
      const bothNumbers = isNumber(values[a]) && isNumber(values[b]);
      const difference = bothNumbers
        ? values[a] - values[b]
        : String(values[a]).localeCompare(String(values[b]), "en", { numeric: true });
      return sign * difference || a - b;
    });
  }
  for (const head of document.querySelectorAll("#table thead th")) {
    const direction = order.descending ? "descending" : "ascending";
    head.setAttribute("aria-sort", head.dataset.key === order.key ? direction : "none");
  }
  body.replaceChildren(...ids.map((id) => rows[id]));
  applyFilters();
}

function markSelection() {
  for (const [id, row] of rows.entries()) {
    row.classList.toggle("chosen", slots.has(id));
    row.style.setProperty("--own", slots.has(id) ? `var(${colourOf(slots.get(id))})` : "");
    row.querySelector("input").checked = slots.has(id);
  }
  byId("chosen").textContent = `${slots.size} of ${runs.length} selected`;
}
