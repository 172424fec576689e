// The run's curves: one panel for each score, and for each loss or the like of all players.

const SHOWN_PANELS = 6;
const HIDDEN = ["lr", "steps"]; // they come last: they say little about how training went
// counts that would flatten the curves of ratios in their panel, and that do not change
const isCount = (name) => name.startsWith("doctor/") && name.endsWith("_examples");

// Return the panels as {title, names, isScore, isLoss, rank}, the most telling ones first.
function panelsOf() {
  const players = page.quantities.filter((name) => name.endsWith("/steps")).map((name) => name.slice(0, -6));
  const panels = new Map();
  for (const name of page.quantities) {
    if (isCount(name)) continue;
    const player = players.find((other) => name.startsWith(`${other}/`) || name.startsWith(`${other}.`));
    const parts = name.split("/");
    const isScore = page.scored.includes(name);
    const title = player ? name.slice(player.length + 1) : parts.length > 1 ? parts.slice(0, -1).join("/") : name;
    const key = isScore && parts.length === 1 ? name : title;
    const isCurve = data("run-curves").series[name][1].length > 1;
    const rank = !isCurve ? 5 : player ? (HIDDEN.includes(title) ? 4 : title === "adversarial" ? 0 : 2) : isScore ? 1 : 3;
    const panel = panels.get(key) || { title: key, names: [], isScore, isLoss: Boolean(player) && !HIDDEN.includes(title), rank };
    panel.names.push(name);
    panels.set(key, panel);
  }
  return [...panels.values()].sort((a, b) => a.rank - b.rank);
}

// Return the name of the protocol by which a score was taken in training.
function protocolNameOf(name) {
  const group = page.scores.find((other) => other.taken === "training" && other.scores.some((score) => score.name === name));
  return group?.protocol.protocol || null;
}

function panelElement(panel) {
  const legend = el("ul", { className: "legend" }, ...panel.names.map((name, slot) =>
    el("li", { "data-id": name },
      swatch(slot),
      el("span", { className: "label", textContent: name, title: name }),
      el("span", { className: "value" })),
  ));
  const what = panel.isScore ? `score, protocol ${protocolNameOf(panel.names[0]) || "not recorded"}` : panel.isLoss ? "loss" : "";
  const box = el("div", { className: "plot" });
  const element = el("div", { className: "panel" },
    el("h3", {}, ...broken(panel.title), el("small", { textContent: what || "\u00a0" })), box, legend);
  makePlot(box, {
    lines: () => panel.names.map((name, slot) => {
      const line = lineOf(data("run-curves"), name);
      return line && { id: name, slot, mark: "", ...line };
    }).filter(Boolean),
    legend,
    label: () => panel.title,
    say: () => {
      byId("reading").textContent = readingText();
    },
  });
  return element;
}

function startPanels() {
  if (!page.quantities.length) {
    byId("curve-controls").append(notice("Nothing was logged yet, or nothing that can be read."));
    byId("reading").hidden = true;
    return;
  }
  const panels = panelsOf();
  const first = panels.slice(0, SHOWN_PANELS);
  const rest = panels.slice(SHOWN_PANELS);
  byId("curve-controls").append(...plotControls());
  byId("panels").append(...first.map(panelElement));
  if (rest.length) {
    const more = el("button", {
      type: "button", id: "more-panels", textContent: `Show ${rest.length} more`,
      onclick: () => {
        more.remove();
        byId("panels").append(...rest.map(panelElement));
        refreshPlots();
      },
    });
    byId("panels").after(more);
  }
  refreshPlots();
}
