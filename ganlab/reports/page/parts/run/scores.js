// The run's scores in words, each with its protocol.

const MOST_ROWS = 2; // with more scores of one name, e.g. one for each class, they share a row

// Return when and of which weights scores were taken, as a sentence.
function takenText({ taken, examples, protocol }) {
  const how = taken === "evaluate" ? `By ganlab evaluate, of the checkpoint ${protocol.checkpoint || "last"}` : "In training";
  return `${how}${isNumber(examples) ? `, at ${withCommas.format(examples)} examples` : ""}.`;
}

function scoreRow(name, score) {
  return el("tr", {},
    el("th", { scope: "row" }, ...broken(name)),
    numberCell(number(score.value)),
    el("td", { className: "quiet", textContent: score.better ? `${score.better} is better` : "" }));
}

// Make the rows of scores; scores such as name/0, name/1, … share a row.
function scoreRows(scores) {
  const named = new Map();
  for (const score of scores) {
    const [name, ...ends] = score.name.split("/");
    const key = ends.length ? `${name}/` : name;
    named.set(key, [...(named.get(key) || []), { ...score, end: ends.join("/") }]);
  }
  return [...named].flatMap(([name, members]) => {
    if (members.length <= MOST_ROWS) return members.map((score) => scoreRow(score.name, score));
    const values = members.map((score) =>
      el("li", {}, el("span", { className: "quiet", textContent: `${score.end}:` }), ` ${number(score.value)}`));
    return el("tr", {}, el("td", { colSpan: 3 }, ...broken(`${name}…`), el("ul", { className: "values" }, ...values)));
  });
}

function scoreCard(group) {
  const words = [...new Set(group.scores.map((score) => score.words).filter(Boolean))];
  const known = Object.keys(group.protocol).length > 0;
  const how = known
    ? el("details", {}, el("summary", { textContent: "How they were taken" }), protocolOf(group))
    : notice("How they were taken is not recorded, so they cannot be compared with other scores.");
  return el("div", { className: "card" },
    el("h3", { textContent: [group.protocol.metric, group.protocol.protocol].filter(Boolean).join(" · ") || "Unknown protocol" }),
    el("p", { className: "quiet", textContent: takenText(group) }),
    ...words.map((text) => el("p", { textContent: text })),
    el("div", { className: "scroll" }, el("table", {}, el("tbody", {}, ...scoreRows(group.scores)))),
    how);
}

function startScores() {
  const box = byId("score-list");
  if (page.best) {
    box.append(el("p", { className: "quiet", textContent:
      `best.ckpt is from ${withCommas.format(page.best.examples)} examples, chosen by ${page.best.monitor}.` }));
  }
  if (page.scores.length) box.append(...page.scores.map(scoreCard));
  else box.append(notice("No scores. To take some: ganlab evaluate run=DIR, with this run’s folder."));
}
