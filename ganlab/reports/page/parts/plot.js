// Plots of lines, each with a legend outside of it, and a read-out of values by mouse and keys.

const ACROSS = { examples: "examples", minutes: "minutes", steps: "steps" };
const view = { across: "examples", log: false, smooth: 0, cursor: null }; // of all plots of the page
const plots = [];

function refreshPlots() {
  for (const plot of plots) plot.refresh();
}

function clearCursor() {
  view.cursor = null;
  for (const plot of plots) plot.forget();
  refreshPlots();
}

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

// Return a quantity of a run's curves as {x, raw, y}, where y is smoothed; null if the run did not
// log the quantity or what the x-axis needs.
function lineOf(curves, quantity) {
  const series = entryOf(curves.series, quantity);
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
  return { x, raw, y: view.smooth ? smoothed(raw, view.smooth) : raw };
}

const newest = (line) => line.y.filter((value) => value !== null).at(-1);

// Return what the values in the legends are: those at the cursor, or the newest ones.
function readingText() {
  const { across, cursor } = view;
  return cursor === null
    ? "The newest values. Point at the curves, or focus them and press arrow keys, for earlier values."
    : `At ${number(across === "minutes" ? Number(cursor.toPrecision(3)) : Math.round(cursor))} ${across}`;
}

// Make a plot, and add its canvas to `box`.
//
// lines: returns the lines to draw, each with an id, the slot of its looks, a mark for its end or "",
//     and what `lineOf` returns.
// legend: its items have the line's id as data-id, and an element of the class "value".
// label: returns what the plot shows, for screen readers.
// say: called with the drawn lines whenever the values in the legend have changed.
function makePlot(box, { lines, legend, label, say = () => {} }) {
  const canvas = el("canvas", { tabIndex: 0, role: "img" });
  let drawn = { lines: [], scale: null };
  let near = null;

  function draw() {
    const now = lines();
    drawn = { lines: now, scale: drawLines(canvas, now, { ...view, near, names: { x: ACROSS[view.across] } }) };
    canvas.setAttribute("aria-label", `${label(now)} against ${view.across}. Left and right arrow keys move the read-out.`);
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

  function read() {
    for (const item of legend.children) {
      const line = drawn.lines.find((other) => String(other.id) === item.dataset.id);
      const value = line ? (view.cursor === null ? newest(line) : valueAt(line, view.cursor)) : null;
      item.querySelector(".value").textContent = line ? number(value) : "not logged";
      item.classList.toggle("near", near !== null && String(near) === item.dataset.id);
    }
    say(drawn.lines);
  }

  function pointAt(pixelX, pixelY) {
    view.cursor = drawn.scale.back(pixelX);
    near = null;
    let least = 30;
    for (const line of drawn.lines) {
      const value = valueAt(line, view.cursor);
      const distance = value === null ? Infinity : Math.abs(drawn.scale.y(value) - pixelY);
      if (distance < least) [least, near] = [distance, line.id];
    }
    refreshPlots();
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
    near = null;
    refreshPlots();
  }

  const point = (event) => pointAt(event.offsetX, event.offsetY);
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && clearCursor());
  canvas.addEventListener("keydown", onKey);
  box.append(canvas);
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  plots.push({
    refresh: () => {
      draw();
      read();
    },
    forget: () => {
      near = null;
    },
  });
}

// Return the controls that all plots share: the x-axis, smoothing, a logarithmic y-axis.
function plotControls() {
  const smoothness = el("output", { textContent: "0" });
  const smoothing = el("input", {
    type: "range", id: "smoothing", min: "0", max: "0.98", step: "0.02", value: "0",
    oninput: () => {
      view.smooth = Number(smoothing.value);
      smoothness.textContent = smoothing.value;
      refreshPlots();
    },
  });
  const log = el("button", {
    type: "button", id: "log", textContent: "Log scale", "aria-pressed": "false",
    onclick: () => {
      view.log = !view.log;
      log.setAttribute("aria-pressed", String(view.log));
      refreshPlots();
    },
  });
  return [
    el("div", { className: "field" }, "Against", group("Against", ACROSS, "examples", (value) => {
      view.across = value;
      clearCursor();
    })),
    el("label", { className: "field" }, el("span", { className: "quiet" }, "Smoothing ", smoothness), smoothing),
    log,
  ];
}
