// The curves of the selected runs, with menus for the quantity and the x-axis, and a read-out of values.

const ACROSS = { examples: "examples", minutes: "minutes", steps: "steps" };
const view = { quantity: null, across: "examples", log: false, smooth: 0, cursor: null, near: null };
const canvas = el("canvas", { tabIndex: 0, role: "img" });
let drawn = { lines: [], scale: null };

// Interpolate ys linearly at x; xs ascends. Return null for x outside of xs.
function between(x, xs, ys) {
  if (!xs.length || x < xs[0] || x > xs[xs.length - 1]) return null;
  let low = 0;
  let high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle;
    else high = middle;
  }
  const share = xs[high] > xs[low] ? (x - xs[low]) / (xs[high] - xs[low]) : 0;
  return ys[low] + share * (ys[high] - ys[low]);
}

// Return the exponential moving average of values, bias-corrected; it starts anew after each null.
function smoothed(values, rate) {
  let mean = 0;
  let weight = 0;
  return values.map((value) => {
    if (value === null) {
      mean = weight = 0;
      return null;
    }
    mean = rate * mean + (1 - rate) * value;
    weight = rate * weight + (1 - rate);
    return mean / weight;
  });
}

// Return a run's line; null if the run did not log the quantity or what the x-axis needs.
function lineOf(id) {
  const curves = curvesOf(id);
  const series = entryOf(curves.series, view.quantity);
  if (!series) return null;
  let x = curves.axes[series[0]];
  let raw = view.log ? series[1].map((value) => (value > 0 ? value : null)) : series[1];
  if (view.across !== "examples") {
    const [examples, steps, minutes] = curves.times;
    x = x.map((at) => between(at, examples, view.across === "steps" ? steps : minutes));
    raw = raw.filter((_, i) => x[i] !== null);
    x = x.filter((at) => at !== null);
  }
  if (!raw.some((value) => value !== null)) return null;
  return { id, x, raw, y: view.smooth ? smoothed(raw, view.smooth) : raw };
}

function drawCurves() {
  const lines = selected().map(lineOf).filter(Boolean);
  drawn = { lines, scale: drawLines(canvas, lines, { ...view, names: { x: ACROSS[view.across] } }) };
  canvas.setAttribute("aria-label",
    `${view.quantity} of ${lines.length} runs against ${view.across}. Left and right arrow keys move the read-out.`);
}

// Return a line's value nearest to x; null if the line ends well before x.
function valueAt(line, x) {
  let best = null;
  for (let i = 0; i < line.x.length; i += 1) {
    if (line.y[i] === null) continue;
    if (best === null || Math.abs(line.x[i] - x) < Math.abs(line.x[best] - x)) best = i;
  }
  const [low, high] = drawn.scale.xEnds;
  const isBeyondEnd = x > line.x[line.x.length - 1] + (high - low) * 0.02;
  return best === null || isBeyondEnd ? null : line.y[best];
}

function newest(line) {
  return line.y.filter((value) => value !== null).at(-1);
}

// Write values into the legend: the values at the cursor or, without a cursor, the newest values.
function readOut() {
  const { cursor } = view;
  for (const item of byId("legend").children) {
    const line = drawn.lines.find((other) => other.id === Number(item.dataset.id));
    const value = line ? (cursor === null ? newest(line) : valueAt(line, cursor)) : null;
    item.querySelector(".value").textContent = line ? number(value) : "not logged";
    item.classList.toggle("near", view.near === Number(item.dataset.id));
  }
  const text = cursor === null
    ? "The newest values. Point at the curves, or focus them and press arrow keys, for earlier values."
    : `At ${number(view.across === "minutes" ? Number(cursor.toPrecision(3)) : Math.round(cursor))} ${view.across}`;
  byId("reading").textContent = drawn.lines.length ? text : "None of the selected runs logged this quantity.";
}

function pointAt(pixelX, pixelY) {
  const { scale, lines } = drawn;
  view.cursor = scale.back(pixelX);
  view.near = null;
  let least = 30;
  for (const line of lines) {
    const value = valueAt(line, view.cursor);
    const distance = value === null ? Infinity : Math.abs(scale.y(value) - pixelY);
    if (distance < least) [least, view.near] = [distance, line.id];
  }
  refreshCurves();
}

function clearCursor() {
  view.cursor = view.near = null;
  refreshCurves();
}

function onKey(event) {
  const [low, high] = drawn.scale.xEnds;
  const step = (high - low) / (event.shiftKey ? 10 : 100);
  const now = view.cursor;
  const to = {
    ArrowLeft: (now ?? high) - step, ArrowRight: (now ?? low) + step, Home: low, End: high,
  }[event.key];
  if (event.key === "Escape") clearCursor();
  if (to === undefined) return;
  event.preventDefault();
  view.cursor = Math.min(high, Math.max(low, to));
  view.near = null;
  refreshCurves();
}

function refreshCurves() {
  drawCurves();
  readOut();
}

function drawLegend() {
  byId("legend").replaceChildren(...selected().map((id) => {
    const { label } = runs[id];
    return el("li", { "data-id": String(id) },
      swatch(id),
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
      view.quantity = control.value;
      clearCursor();
    },
  });
  for (const [kind, names] of [...groups].sort(([a], [b]) => (b === "scores") - (a === "scores"))) {
    const entries = names.map((name) => el("option", { value: name, textContent: name }));
    control.append(el("optgroup", { label: kind }, ...entries));
  }
  control.value = view.quantity;
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
  view.quantity = firstQuantity();
  const smoothness = el("output", { textContent: "0" });
  const smoothing = el("input", {
    type: "range", id: "smoothing", min: "0", max: "0.98", step: "0.02", value: "0",
    oninput: () => {
      view.smooth = Number(smoothing.value);
      smoothness.textContent = smoothing.value;
      refreshCurves();
    },
  });
  const log = el("button", {
    type: "button", id: "log", textContent: "Log scale", "aria-pressed": "false",
    onclick: () => {
      view.log = !view.log;
      log.setAttribute("aria-pressed", String(view.log));
      refreshCurves();
    },
  });
  byId("curve-controls").append(
    field("Quantity", quantityList()),
    el("div", { className: "field" }, "Against", group("Against", ACROSS, "examples", (value) => {
      view.across = value;
      clearCursor();
    })),
    el("label", { className: "field" }, el("span", { className: "quiet" }, "Smoothing ", smoothness), smoothing),
    log,
  );
  byId("plot").append(canvas);
  const point = (event) => pointAt(event.offsetX, event.offsetY);
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && clearCursor());
  canvas.addEventListener("keydown", onKey);
  new ResizeObserver(drawCurves).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCurves);
  onSelection(() => {
    view.near = null;
    drawLegend();
    refreshCurves();
  });
}
