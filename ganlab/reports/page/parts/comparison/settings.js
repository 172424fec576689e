// Settings of the selected runs side by side.

let showsAll = false;

const settingCell = (text) => (text === null ? textCell(null) : el("td", {}, ...broken(text)));

function drawSettings() {
  const shown = selected();
  const region = byId("setting-table");
  if (!shown.length) {
    region.replaceChildren(notice("Select runs in the table."));
    return;
  }
  const rowsOf = [];
  let differing = 0;
  for (const key of Object.keys(page.settings)) {
    const values = shown.map((id) => setting(key, id));
    const differs = values.some((value) => value !== values[0]);
    differing += differs;
    if (!differs && !showsAll) continue;
    const row = el("tr", { className: differs ? "differs" : "" },
      el("th", { scope: "row" }, ...broken(key)), ...values.map(settingCell));
    rowsOf.push(row);
  }
  byId("setting-count").textContent = `${differing} of ${Object.keys(page.settings).length} settings differ`;
  if (!rowsOf.length) {
    const text = shown.length > 1 ? "The selected runs have the same settings." : "Nothing to compare with: one run is selected.";
    region.replaceChildren(notice(text));
    return;
  }
  const heads = shown.map((id) => el("th", { scope: "col" }, `${id + 1}  `, ...broken(runs[id].label)));
  const head = el("thead", {}, el("tr", {}, el("th", { scope: "col", textContent: "Setting" }), ...heads));
  region.replaceChildren(el("table", {}, head, el("tbody", {}, ...rowsOf)));
}

function startSettings() {
  const all = el("button", {
    type: "button", id: "all-settings", textContent: "Show all settings", "aria-pressed": "false",
    onclick: () => {
      showsAll = !showsAll;
      all.setAttribute("aria-pressed", String(showsAll));
      drawSettings();
    },
  });
  byId("setting-controls").append(all, el("span", { id: "setting-count", className: "quiet", role: "status" }));
  onSelection(drawSettings);
}
