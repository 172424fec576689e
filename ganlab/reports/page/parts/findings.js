// Protocols of scores, and the doctor's findings.

const TAKEN = { training: "in training", evaluate: "by ganlab evaluate" };

const protocolValue = (value) =>
  value === null ? "none" : typeof value === "object" ? JSON.stringify(value) : String(value);

function protocolOf(kind) {
  const entries = Object.entries(kind.protocol).map(([key, value]) =>
    el("div", {}, el("dt", { textContent: key.replaceAll("_", " ") }), el("dd", { textContent: protocolValue(value) })),
  );
  return el("dl", {}, ...entries);
}

const items = (texts) => el("ul", {}, ...texts.map((text) => el("li", { textContent: text })));

function findingOf(finding) {
  const name = finding.condition.replaceAll("_", " ");
  const tag = el("span", { className: `tag ${toneOf(finding)}` }, el("strong", { textContent: name }));
  const parts = [el("p", {}, tag, `  ${finding.words}`)];
  if (finding.evidence.length) parts.push(items(finding.evidence));
  if (finding.remedies.length) parts.push(el("p", { className: "quiet", textContent: "What usually helps" }), items(finding.remedies));
  return el("div", { className: "finding" }, ...parts);
}

// Make the elements of a diagnosis: its findings, or the reason why there is none.
function findingsOf(doctor) {
  if (doctor.why) return [notice(doctor.why)];
  const known = doctor.findings.filter((finding) => finding.kind !== "unknown");
  const unknown = doctor.findings.filter((finding) => finding.kind === "unknown");
  if (!unknown.length) return known.map(findingOf);
  const summary = el("summary", { textContent: "What the log does not show" });
  return [...known.map(findingOf), el("details", {}, summary, items(unknown.map((f) => f.words)))];
}
