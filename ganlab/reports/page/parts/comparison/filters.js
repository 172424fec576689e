// Controls that choose the runs and columns of the table.

const SHOWN_FILTERS = 3;
const filters = new Map(); // key of `filterable`: the value that runs must have
let words = [];

// By key, what runs can be filtered by: a heading, and a function from a run to its value.
const filterable = new Map([
  ["state", { name: "State", of: (run) => run.state }],
  ...page.varying.map((key) => [`setting:${key}`, { name: key, of: (run, id) => setting(key, id) ?? "–" }]),
  ["doctor", { name: "Doctor", of: (run) => condition(run) ?? "–" }],
  ["seed", { name: "Seed", of: (run) => (run.seed === null ? "–" : String(run.seed)) }],
]);

const searched = runs.map((run, id) =>
  [run.label, run.name, run.state, run.error, condition(run), ...page.varying.map((key) => setting(key, id))]
    .filter(Boolean).join(" ").toLowerCase(),
);

function passes(id) {
  if (!words.every((word) => searched[id].includes(word))) return false;
  for (const [key, value] of filters) if (filterable.get(key).of(runs[id], id) !== value) return false;
  return true;
}

const shownRuns = () => runs.map((_, id) => id).filter(passes);

// Show the runs that pass, and the columns that are chosen for them.
function applyFilters() {
  if (chooseColumns(shownRuns())) {
    drawTable();
    return;
  }
  let shown = 0;
  for (const [id, row] of rows.entries()) {
    row.hidden = !passes(id);
    shown += !row.hidden;
  }
  byId("count").textContent = shown === runs.length ? `${shown} runs` : `${shown} of ${runs.length} runs`;
}

function filterControl(key) {
  const { name, of } = filterable.get(key);
  const values = [...new Set(runs.map(of))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const control = options(el("select"), [["", "all"], ...values.map((value, i) => [String(i), value])], "");
  control.addEventListener("change", () => {
    if (control.value === "") filters.delete(key);
    else filters.set(key, values[Number(control.value)]);
    applyFilters();
  });
  return field(name, control);
}

function drawFilters() {
  const search = el("input", {
    type: "search", id: "search", placeholder: "name, setting, error…",
    oninput: () => {
      words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      applyFilters();
    },
  });
  const keys = [...filterable.keys()].filter((key) => new Set(runs.map(filterable.get(key).of)).size > 1);
  const first = keys.slice(0, SHOWN_FILTERS + 1);
  const rest = keys.slice(SHOWN_FILTERS + 1);
  const more = el("select", {
    onchange: () => {
      const key = more.value;
      more.value = "";
      [...more.options].find((option) => option.value === key).remove();
      const added = filterControl(key);
      byId("more-filters").before(added);
      added.querySelector("select").focus();
    },
  });
  options(more, [["", "add…"], ...rest.map((key) => [key, filterable.get(key).name])], "");
  const last = field("More filters", more);
  last.id = "more-filters";
  last.hidden = rest.length === 0;
  byId("filters").append(field("Search", search, "growing"), ...first.map(filterControl), last, columnMenu());
  byId("choice").append(
    el("button", { type: "button", id: "select-shown", textContent: "Select all shown", onclick: () => select(shownRuns(), true) }),
    el("button", { type: "button", id: "select-none", textContent: "Select none", onclick: () => select(selected(), false) }),
    el("span", { id: "count", className: "quiet", role: "status" }),
    el("span", { className: "quiet", textContent: "Everything below is about the selected runs." }),
  );
}

function columnMenu() {
  const optional = columns.filter((column) => !column.always);
  const boxes = optional.map((column) =>
    el("label", {},
      el("input", {
        type: "checkbox", checked: isShown(column),
        onchange: (event) => {
          column.shown = event.currentTarget.checked;
          drawTable();
        },
      }),
      el("span", { textContent: column.name }, column.note ? el("small", { className: "quiet", textContent: ` ${column.note}` }) : null),
    ),
  );
  const menu = el("details", { className: "menu" }, el("summary", { textContent: "Columns" }), el("div", {}, ...boxes));
  menu.addEventListener("toggle", () => {
    for (const [i, column] of optional.entries()) boxes[i].querySelector("input").checked = isShown(column);
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  return menu;
}
