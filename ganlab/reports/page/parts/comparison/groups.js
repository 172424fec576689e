// Groups of runs: the mean of their scores, and the spread over the runs of a group.

const NUMBERS = 12; // maximum of run numbers in a cell

function groupNote() {
  const { keys, score, others, parts, unlike, isSplit } = page.table;
  const better = parts.map((part) => part.better).find(Boolean);
  const by = keys.length ? `equal ${keys.join(", ")}` : "equal settings";
  const length = isSplit ? " and of like length (examples seen within 10 %)" : "";
  const sentences = [`Each group holds runs of ${by}${length}. All runs are shown, selected or not.`];
  if (score) {
    sentences.push(`Ranked by ${score}${better ? `, ${better} is better` : ""}: mean, sample standard deviation, and the mean's 95 % interval by Student's t.`);
  }
  if (score && !better && !unlike) sentences[1] = `Not ranked: whether a higher or a lower ${score} is better is not recorded.`;
  if (unlike) sentences[1] = `Not ranked against each other, because ${score} was taken by different protocols: ${unlike}.`;
  if (others.length) sentences.push("Further scores are mean ± standard deviation.");
  return sentences.join(" ");
}

const rounded = (value) => (isNumber(value) ? String(Number(value.toPrecision(2))) : "–");

// Return how many of the columns n, mean, sd and interval a part has: none without a main score, and
// no spread if each group has one value.
function spreadColumns({ groups }) {
  const { score } = page.table;
  const spreads = groups.map((group) => score && entryOf(group.scores, score)).filter(Boolean);
  return spreads.some(({ n }) => n > 1) ? 4 : spreads.length ? 2 : 0;
}

function spreadCells(spread, isBest) {
  if (!spread) return Array.from({ length: 4 }, () => numberCell("–"));
  const mean = numberCell(number(spread.mean));
  if (isBest) mean.classList.add("best");
  const ends = spread.interval ? spread.interval.map(number).join(" … ") : "–";
  return [numberCell(String(spread.n)), mean, numberCell(rounded(spread.deviation)), numberCell(ends)];
}

function shortSpread(spread) {
  if (!spread) return "–";
  return number(spread.mean) + (isNumber(spread.deviation) ? ` ± ${rounded(spread.deviation)}` : "");
}

// Return the indices of the settings that differ between the groups of a part; all if it has one group.
function differing({ groups }) {
  const { keys } = page.table;
  const indices = keys.map((_, i) => i);
  return indices.filter((i) => groups.length < 2 || groups.some(({ values }) => values[i] !== groups[0].values[i]));
}

// Name the settings that are equal in all groups of a part.
function equalNote(part) {
  const shown = differing(part);
  const { values } = part.groups[0];
  const equal = page.table.keys.map((key, i) => (shown.includes(i) || values[i] === null ? null : `${key} ${values[i]}`));
  const named = equal.filter(Boolean);
  return named.length ? el("p", { className: "quiet", textContent: `Equal in all: ${named.join(", ")}` }) : null;
}

// Return the further scores that some group of a part has.
const othersOf = ({ groups }) =>
  page.table.others.filter((name) => groups.some((group) => entryOf(group.scores, name)));

function groupRow(group, part, isBest) {
  const { score } = page.table;
  const named = group.runs.slice(0, NUMBERS).map((id) => id + 1).join(", ");
  const more = group.runs.length > NUMBERS ? `, … (${group.runs.length})` : "";
  return el("tr", {},
    ...differing(part).map((i) => textCell(group.values[i])),
    ...spreadCells(score && entryOf(group.scores, score), isBest).slice(0, spreadColumns(part)),
    ...othersOf(part).map((name) => numberCell(shortSpread(entryOf(group.scores, name)))),
    numberCell(duration(group.seconds)),
    numberCell(isNumber(group.examples) ? number(Math.round(group.examples)) : "–"),
    numberCell(isNumber(group.memory) ? withCommas.format(Math.round(group.memory)) : "–"),
    el("td", { textContent: group.states }),
    el("td", { textContent: named + more, title: group.runs.map((id) => runs[id].label).join("\n") }));
}

function groupTable(part) {
  const { keys, score } = page.table;
  const numeric = (text, note) =>
    el("th", { scope: "col", className: "number" }, ...broken(text), note ? el("small", { textContent: note }) : null);
  const plain = (text) => el("th", { scope: "col" }, ...broken(text));
  const heads = [
    ...differing(part).map((i) => plain(keys[i])),
    ...[numeric("n"), numeric("mean", score), numeric("sd"), numeric("95 % interval")].slice(0, spreadColumns(part)),
    ...othersOf(part).map((name) => numeric(name)),
    numeric("Time"), numeric("Examples"), numeric("Memory", "peak, MiB"), plain("Status"), plain("Runs"),
  ];
  const isRanked = part.better && part.groups.filter((group) => entryOf(group.scores, score)).length > 1;
  const lines = part.groups.map((group, i) => groupRow(group, part, isRanked && i === 0));
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...lines));
  return el("div", { className: "scroll tall", role: "region", "aria-label": "Table of groups", tabIndex: 0 }, table);
}

function drawGroups() {
  const { parts, score } = page.table;
  byId("group-note").textContent = groupNote();
  byId("group-list").replaceChildren(...parts.map((part) => {
    const known = Object.keys(part.protocol).length > 0;
    const title = known ? [part.protocol.metric, part.protocol_name].filter(Boolean).join(" · ") : "";
    const head = title || (score && parts.length > 1 ? `Without ${score}` : "");
    const how = known
      ? el("details", {}, el("summary", { textContent: "How they were taken" }), protocolOf(part))
      : null;
    return el("div", { className: "card" }, head ? el("h3", { textContent: head }) : null, equalNote(part), groupTable(part), how);
  }));
}
