// Builds the page from its parts.

const ALL_SELECTED = 8; // in a page of at most this many runs, all runs are selected at first
const FIRST_SELECTED = 6; // in a page of more runs, this many runs are selected at first

function firstRuns() {
  const ids = runs.map((_, id) => id);
  if (ids.length <= ALL_SELECTED) return ids;
  const withContents = ids.filter((id) => runs[id].pictures.length || runs[id].doctor.findings);
  return (withContents.length ? withContents : ids).slice(0, FIRST_SELECTED);
}

byId("title").textContent = `Comparison of ${runs.length} run${runs.length === 1 ? "" : "s"}`;
byId("made").textContent = `ganlab ${page.version}, ${page.made}`;
byId("note-list").append(
  ...(page.notes.length ? page.notes : ["Nothing was left out."]).map((text) => el("li", { textContent: text })),
);
startTheme();
drawFilters();
drawTable();
onSelection(markSelection);
for (const id of firstRuns()) slots.set(id, slots.size);
drawGroups();
startCurves();
startSamples();
startSettings();
startVerdicts();
select([], true);
document.documentElement.dataset.ready = String(Math.round(performance.now()));
