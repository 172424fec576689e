// Builds the page of a run from its parts.

const page = data("run");

function fact(name, text) {
  return text === null || text === undefined || text === ""
    ? null
    : el("div", {}, el("dt", { textContent: name }), el("dd", { textContent: text }));
}

const moment = (text) => (text ? text.slice(0, 16).replace("T", " ") : null);
const mebibytes = (value) => (isNumber(value) ? `${withCommas.format(Math.round(value))} MiB` : null);

function startHeading() {
  const { run } = page;
  document.title = `${run.name}: a run of ganlab`;
  byId("title").textContent = run.name;
  byId("state").append(el("span", { className: `tag ${entryOf(STATES, run.state) || ""}`, textContent: run.state }));
  byId("made").textContent = `page made ${page.made} by ganlab ${page.version}`;
  const facts = [
    fact("Seed", run.seed),
    fact("Started", moment(run.started)),
    fact("Ended", moment(run.ended)),
    fact("Time", isNumber(run.seconds) ? duration(run.seconds) : null),
    fact("Examples", isNumber(run.examples) && !page.isLesson ? number(run.examples) : null),
    fact("Batches", isNumber(run.batches) && !page.isLesson ? number(run.batches) : null),
    fact("Peak memory", mebibytes(run.memory)),
    fact("Peak memory, GPU", mebibytes(run.gpuMemory)),
    ...Object.entries(run.facts).map(([name, text]) => fact(name, text)),
  ];
  byId("facts").append(el("dl", {}, ...facts.filter(Boolean)));
  if (run.state === "running") byId("facts").append(notice("The run is in progress: make the page again to see more."));
  if (run.error) byId("facts").append(el("p", { className: "error", textContent: run.error }));
}

function startCommand() {
  const { command, notes } = page.command;
  const box = byId("command");
  box.append(el("h2", { textContent: "Repeat it" }));
  if (command) {
    const code = el("code", { id: "command-text", textContent: command, tabIndex: 0 });
    const said = el("span", { className: "quiet", role: "status" });
    const copy = el("button", {
      type: "button", id: "copy", textContent: "Copy",
      onclick: async () => {
        getSelection().selectAllChildren(code); // if the browser forbids copying, it is selected
        try {
          await navigator.clipboard.writeText(command);
          said.textContent = "Copied.";
        } catch {
          said.textContent = "Selected: copy it with Ctrl+C.";
        }
      },
    });
    box.append(el("div", { className: "command" }, code, copy, said));
  }
  box.append(...notes.map((text) => el("p", { className: "quiet", textContent: text })));
}

function hide(...names) {
  for (const name of names) {
    byId(name).hidden = true;
    document.querySelector(`nav a[href="#${name}"]`).hidden = true;
  }
}

function startFigures() {
  const figures = data("run-figures");
  if (!figures.length && !page.numbers.length) hide("figures");
  byId("figure-list").append(...figures.map(({ name, title, data: source }) =>
    el("figure", {},
      el("img", { src: source, alt: title, decoding: "async" }),
      el("figcaption", { textContent: title === name ? name : `${title} (${name})` }))));
}

// Show the numbers of a lesson, which has no samples, scores and curves.
function startNumbers() {
  if (!page.isLesson) return;
  hide("samples", "doctor", "scores", "curves");
  const lines = page.numbers.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, ...broken(name)), numberCell(number(value))));
  if (lines.length) byId("figure-list").after(el("div", { className: "scroll tall numbers" }, el("table", {}, el("tbody", {}, ...lines))));
}

startHeading();
startCommand();
startFilm();
byId("findings").append(...findingsOf(page.doctor));
startScores();
startPanels();
startFigures();
startNumbers();
startTree();
startTheme();
byId("note-list").append(
  ...(page.notes.length ? page.notes : ["Nothing was left out."]).map((text) => el("li", { textContent: text })),
);
document.documentElement.dataset.ready = String(Math.round(performance.now()));
