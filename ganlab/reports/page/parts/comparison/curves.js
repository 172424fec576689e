// The curves of the selected runs, with a menu of quantities.

let quantity = null;

function drawLegend() {
  byId("legend").replaceChildren(...selected().map((id) => {
    const { label } = runs[id];
    return el("li", { "data-id": String(id) },
      swatchOf(id),
      el("span", { className: "no", textContent: String(id + 1) }),
      el("span", { className: "label", textContent: label, title: label }),
      el("span", { className: "value" }),
      el("button", { type: "button", textContent: "×", "aria-label": `Unselect run ${id + 1}, ${label}`, onclick: () => select([id], false) }),
    );
  }));
}

// Make the menu of quantities, grouped by the part of the name before the first slash.
function quantityList() {
  const groups = new Map();
  for (const name of page.quantities) {
    const kind = name.includes("/") ? name.split("/")[0] : "scores";
    groups.set(kind, [...(groups.get(kind) || []), name]);
  }
  const control = el("select", {
    id: "quantity",
    onchange: () => {
      quantity = control.value;
      clearCursor();
    },
  });
  for (const [kind, names] of [...groups].sort(([a], [b]) => (b === "scores") - (a === "scores"))) {
    const entries = names.map((name) => el("option", { value: name, textContent: name }));
    control.append(el("optgroup", { label: kind }, ...entries));
  }
  control.value = quantity;
  return control;
}

// Return the first score with a curve in at least half of the selected runs (three values or more),
// else the adversarial loss with a curve in most runs, else the first quantity.
function firstQuantity() {
  const ids = selected();
  const countCurves = (name) => ids.filter((id) => (entryOf(curvesOf(id).series, name)?.[1].length || 0) >= 3).length;
  const losses = page.quantities.filter((name) => name.endsWith("/adversarial"));
  return page.scores.find((name) => 2 * countCurves(name) >= ids.length)
    || losses.sort((a, b) => countCurves(b) - countCurves(a))[0] || page.quantities[0];
}

function startCurves() {
  if (!page.quantities.length) {
    byId("curve-controls").append(notice("Nothing was logged by these runs."));
    byId("reading").hidden = byId("plot").hidden = true;
    return;
  }
  quantity = firstQuantity();
  byId("curve-controls").append(field("Quantity", quantityList()), ...plotControls());
  makePlot(byId("plot"), {
    lines: () => selected().map((id) => {
      const line = lineOf(curvesOf(id), quantity);
      return line && { id, slot: slots.get(id), mark: String(id + 1), ...line };
    }).filter(Boolean),
    legend: byId("legend"),
    label: (lines) => `${quantity} of ${lines.length} runs`,
    say: (lines) => {
      byId("reading").textContent = lines.length ? readingText() : "None of the selected runs logged this quantity.";
    },
  });
  onSelection(() => {
    drawLegend();
    for (const plot of plots) plot.forget();
    refreshPlots();
  });
}
