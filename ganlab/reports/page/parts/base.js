// Functions that all scripts use: elements, numbers, the data, and the selection of runs.

// Make an element; text is always set as text, never parsed as HTML.
function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const byId = (id) => document.getElementById(id);
const parsed = new Map();

// Return the data block of a name; its JSON is parsed at the first call.
function data(name) {
  if (!parsed.has(name)) parsed.set(name, JSON.parse(byId(name).textContent));
  return parsed.get(name);
}

const page = data("comparison");
const runs = page.runs;
const curvesOf = (id) => data(`curves-${id}`);
const picturesOf = (id) => data(`pictures-${id}`);

const withCommas = new Intl.NumberFormat("en");
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

// Format a number with four significant digits; whole numbers below 1e9 keep all digits.
function number(value) {
  if (!isNumber(value)) return value === null || value === undefined ? "–" : String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return withCommas.format(value);
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

// Format 1200000 as 1.2M.
function short(value) {
  const size = Math.abs(value);
  for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= unit) return Number((value / unit).toPrecision(3)) + name;
  }
  return String(Number(value.toPrecision(3)));
}

function duration(seconds) {
  if (!isNumber(seconds)) return "–";
  if (seconds < 60) return `${Number(seconds.toPrecision(2))} s`;
  if (seconds < 3600) return `${Number((seconds / 60).toPrecision(3))} min`;
  return `${Number((seconds / 3600).toPrecision(3))} h`;
}

// Return an object's own entry; undefined for names of inherited properties, such as "constructor".
const entryOf = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined);

// Return a setting of a run as text, or null if the run lacks it.
function setting(key, id) {
  const entry = entryOf(page.settings, key);
  if (!entry) return null;
  const index = entry.of === 0 ? 0 : entry.of[id];
  return index < 0 ? null : entry.values[index];
}

// A selected run takes the lowest free slot and keeps it; the slot decides its colour and dashes.
const COLOURS = 7;
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3], [14, 4]];
const slots = new Map();
const listeners = [];

const selected = () => runs.map((_, id) => id).filter((id) => slots.has(id));
const onSelection = (listener) => listeners.push(listener);

function select(ids, on) {
  for (const id of ids) {
    if (!on) slots.delete(id);
    else if (!slots.has(id)) {
      const taken = new Set(slots.values());
      let slot = 0;
      while (taken.has(slot)) slot += 1;
      slots.set(id, slot);
    }
  }
  for (const listener of listeners) listener();
}

const colourOf = (id) => `--run-${slots.get(id) % COLOURS}`;
const dashesOf = (id) => DASHES[slots.get(id) % DASHES.length];

// Draw a short sample of a run's line, for legends.
function swatch(id) {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  const line = document.createElementNS(space, "line");
  picture.setAttribute("class", "line");
  picture.setAttribute("aria-hidden", "true");
  const ends = { x1: "0", y1: "6", x2: "36", y2: "6" };
  for (const [name, value] of Object.entries(ends)) line.setAttribute(name, value);
  line.style.stroke = `var(${colourOf(id)})`;
  line.style.strokeWidth = "2.5";
  line.style.strokeDasharray = dashesOf(id).join(" ") || "none";
  picture.append(line);
  return picture;
}

// Make the heading of a run's card: its line, number and label.
function heading(id) {
  return el("h3", {}, swatch(id), ` ${id + 1}  ${runs[id].label}`);
}

// Split a dotted name so that a line may break after each ".", "_" or "/".
function broken(text) {
  return text.split(/(?<=[._/])/).flatMap((piece, i) => (i ? [el("wbr"), piece] : [piece]));
}

const notice = (text) => el("p", { className: "notice", textContent: text });

// Make a labelled control.
function field(label, control, more = "") {
  return el("label", { className: `field ${more}` }, label, control);
}

// Make buttons of which exactly one is pressed; `options` maps values to texts.
function group(label, options, chosen, choose) {
  const buttons = Object.entries(options).map(([value, text]) =>
    el("button", {
      type: "button",
      textContent: text,
      "aria-pressed": String(value === chosen),
      onclick: (event) => {
        for (const button of buttons) button.setAttribute("aria-pressed", "false");
        event.currentTarget.setAttribute("aria-pressed", "true");
        choose(value);
      },
    }),
  );
  return el("div", { className: "group", role: "group", "aria-label": label }, ...buttons);
}

function options(control, entries, chosen) {
  control.replaceChildren(
    ...entries.map(([value, text]) => el("option", { value, textContent: text })),
  );
  control.value = chosen;
  return control;
}
