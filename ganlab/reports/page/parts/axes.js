// Drawing of lines over axes on a canvas.

const MOST_MARKS = 24; // with more lines than this, no line has its mark at its end
const EDGE = { top: 10, right: 30, bottom: 40, left: 62 };

// Return a colour of the style sheet in the current theme, in a form that a pen on a canvas accepts.
function colour(pen, name) {
  pen.canvas.style.color = `var(${name})`;
  const computed = getComputedStyle(pen.canvas).color;
  pen.canvas.style.color = "";
  return computed;
}

// Return round numbers from low to high, at most about `n`.
function ticks(low, high, n) {
  const raw = (high - low) / Math.max(n, 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999) * power;
  const values = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) {
    values.push(Number((k * step).toPrecision(12)));
  }
  return values;
}

// Return powers of ten from low to high; in less than three decades also 2 and 5 times these powers.
function logTicks(low, high) {
  const decades = Math.log10(high / low);
  if (decades < 0.7) return ticks(low, high, 5);
  const every = Math.ceil(decades / 7);
  const values = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    if (power % every) continue;
    for (const factor of decades < 3 ? [1, 2, 5] : [1]) {
      const value = Number((factor * 10 ** power).toPrecision(12));
      if (value >= low * 0.999 && value <= high * 1.001) values.push(value);
    }
  }
  return values;
}

function tickText(value) {
  const size = Math.abs(value);
  if (size >= 1000) return short(value);
  return size !== 0 && size < 1e-3 ? value.toExponential(0) : String(Number(value.toPrecision(4)));
}

// Return [smallest, largest] of all values that are not null, or null if there are none.
function range(lists) {
  let low = Infinity;
  let high = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : null;
}

// Return functions from values to pixels (x, y) and from an x pixel to its value, and both axes' ranges.
function scales(lines, log, width, height) {
  const xLow = 0;
  const [, xHigh] = range(lines.map((line) => line.x)) || [0, 1];
  let [low, high] = range(lines.map((line) => line.y)) || [log ? 0.1 : 0, 1];
  if (log) {
    low = Math.log10(low);
    high = Math.log10(high);
  }
  const room = (high - low || Math.abs(high) || 1) * 0.05;
  [low, high] = [low - room, high + room];
  const wide = width - EDGE.left - EDGE.right;
  const tall = height - EDGE.top - EDGE.bottom;
  const span = xHigh - xLow || 1;
  return {
    x: (value) => EDGE.left + ((value - xLow) / span) * wide,
    y: (value) => EDGE.top + tall - (((log ? Math.log10(value) : value) - low) / (high - low)) * tall,
    back: (pixel) => Math.min(xHigh, Math.max(xLow, xLow + ((pixel - EDGE.left) / wide) * span)),
    xEnds: [xLow, xLow + span],
    yEnds: log ? [10 ** low, 10 ** high] : [low, high],
  };
}

function drawAxes(pen, scale, size, log, names) {
  const { width, height } = size;
  const bottom = height - EDGE.bottom;
  pen.font = "12px system-ui, sans-serif";
  pen.lineWidth = 1;
  pen.strokeStyle = colour(pen, "--line");
  pen.fillStyle = colour(pen, "--quiet");
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  const values = log ? logTicks(...scale.yEnds) : ticks(...scale.yEnds, (bottom - EDGE.top) / 32);
  for (const value of values) {
    const y = Math.round(scale.y(value)) + 0.5;
    pen.beginPath();
    pen.moveTo(EDGE.left, y);
    pen.lineTo(width - EDGE.right, y);
    pen.stroke();
    pen.fillText(tickText(value), EDGE.left - 8, y);
  }
  pen.textBaseline = "top";
  pen.textAlign = "center";
  for (const value of ticks(...scale.xEnds, Math.min(8, (width - EDGE.left - EDGE.right) / 40))) {
    pen.fillText(tickText(value), scale.x(value), bottom + 6);
  }
  pen.textAlign = "right";
  pen.fillText(names.x, width - EDGE.right, bottom + 23);
}

function strokeLine(pen, scale, x, y) {
  pen.beginPath();
  let joined = false;
  for (let i = 0; i < x.length; i += 1) {
    if (y[i] === null) {
      joined = false;
      continue;
    }
    if (joined) pen.lineTo(scale.x(x[i]), scale.y(y[i]));
    else pen.moveTo(scale.x(x[i]), scale.y(y[i]));
    joined = true;
  }
  pen.stroke();
}

// Draw a dot at each value without neighbours, and at all values of a line of at most 12 values.
function drawDots(pen, scale, x, y) {
  for (let i = 0; i < x.length; i += 1) {
    const isAlone = (i === 0 || y[i - 1] === null) && (i === x.length - 1 || y[i + 1] === null);
    if (y[i] === null || !(isAlone || x.length <= 12)) continue;
    pen.beginPath();
    pen.arc(scale.x(x[i]), scale.y(y[i]), 3, 0, 7);
    pen.fill();
  }
}

// Write each line's mark at its right end; marks that would overlap are moved apart.
function drawMarks(pen, scale, lines) {
  const ends = [];
  for (const line of lines) {
    let last = line.y.length - 1;
    while (last >= 0 && line.y[last] === null) last -= 1;
    if (last >= 0 && line.mark) ends.push({ line, x: scale.x(line.x[last]) + 6, y: scale.y(line.y[last]) });
  }
  if (ends.length > MOST_MARKS) return;
  ends.sort((a, b) => a.y - b.y);
  for (const [i, end] of ends.entries()) {
    for (const other of ends.slice(0, i)) {
      if (Math.abs(other.x - end.x) < 18) end.y = Math.max(end.y, other.y + 12);
    }
  }
  pen.font = "600 12px system-ui, sans-serif";
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  for (const { line, x, y } of ends) {
    pen.fillStyle = colour(pen, colourOf(line.slot));
    pen.fillText(line.mark, x, y);
  }
}

// Draw lines, see `makePlot`, on a canvas; return the result of `scales`.
function drawLines(canvas, lines, { log, names, cursor, near, smooth }) {
  const size = { width: canvas.clientWidth, height: canvas.clientHeight };
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(size.width * ratio);
  canvas.height = Math.round(size.height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const scale = scales(smooth ? [...lines, ...lines.map((l) => ({ x: l.x, y: l.raw }))] : lines, log, size.width, size.height);
  drawAxes(pen, scale, size, log, names);
  pen.lineJoin = "round";
  for (const line of lines) {
    pen.strokeStyle = colour(pen, colourOf(line.slot));
    pen.fillStyle = pen.strokeStyle;
    if (smooth) {
      pen.globalAlpha = 0.22;
      pen.lineWidth = 1;
      pen.setLineDash([]);
      strokeLine(pen, scale, line.x, line.raw);
    }
    pen.globalAlpha = near === null || near === line.id ? 1 : 0.55;
    pen.lineWidth = near === line.id ? 2.75 : 1.75;
    pen.setLineDash(dashesOf(line.slot));
    strokeLine(pen, scale, line.x, line.y);
    pen.setLineDash([]);
    drawDots(pen, scale, line.x, line.y);
    pen.globalAlpha = 1;
  }
  drawMarks(pen, scale, lines);
  if (cursor !== null) {
    pen.strokeStyle = colour(pen, "--control");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(scale.x(cursor), EDGE.top);
    pen.lineTo(scale.x(cursor), size.height - EDGE.bottom);
    pen.stroke();
  }
  return scale;
}
