// The run's scores in words, each with its protocol.

const OPEN_PROTOCOLS = 2; // the details of this many protocols are unfolded at first

// Return when and of which weights scores were taken, as a sentence.
function takenText({ taken, examples, protocol }) {
  const how = taken === "evaluate" ? `By ganlab evaluate, of the checkpoint ${protocol.checkpoint || "last"}` : "In training";
  return `${how}${isNumber(examples) ? `, at ${withCommas.format(examples)} examples` : ""}.`;
}

function scoreCard(group, index) {
  const lines = group.scores.map((score) =>
    el("tr", {},
      el("th", { scope: "row" }, ...broken(score.name)),
      numberCell(number(score.value)),
      el("td", { className: "quiet", textContent: score.better ? `${score.better} is better` : "" })));
  const words = [...new Set(group.scores.map((score) => score.words).filter(Boolean))];
  const known = Object.keys(group.protocol).length > 0;
  const how = known
    ? el("details", { open: index < OPEN_PROTOCOLS }, el("summary", { textContent: "How they were taken" }), protocolOf(group))
    : notice("How they were taken is not recorded, so they cannot be compared with other scores.");
  return el("div", { className: "card" },
    el("h3", { textContent: [group.protocol.metric, group.protocol.protocol].filter(Boolean).join(" · ") || "Unknown protocol" }),
    el("p", { className: "quiet", textContent: takenText(group) }),
    ...words.map((text) => el("p", { textContent: text })),
    el("div", { className: "scroll" }, el("table", {}, el("tbody", {}, ...lines))),
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
