// What all parts of the page use: elements, numbers, the data, and which runs are selected.

// An element; text is always set as text, never as markup.
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

// The data under a name, read when it is first asked for.
function data(name) {
  if (!parsed.has(name)) parsed.set(name, JSON.parse(byId(name).textContent));
  return parsed.get(name);
}

const page = data("comparison");
const runs = page.runs;
const curvesOf = (id) => data(`curves-${id}`);
const picturesOf = (id) => data(`pictures-${id}`);

const whole = new Intl.NumberFormat("en");
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

// Four significant digits, whole numbers as they are.
function number(value) {
  if (!isNumber(value)) return value === null || value === undefined ? "–" : String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return whole.format(value);
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

// 1200000 as 1.2M.
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

// An entry of an object, whatever its name: "constructor" is none that all objects have.
const entryOf = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined);

// A setting of a run as text, null where the run has none.
function setting(key, id) {
  const entry = entryOf(page.settings, key);
  if (!entry) return null;
  const place = entry.of === 0 ? 0 : entry.of[id];
  return place < 0 ? null : entry.values[place];
}

// Selected runs keep the place in which they came in, and with it their colour and dashes.
const COLOURS = 7;
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3], [14, 4]];
const places = new Map();
const listeners = [];

const selected = () => runs.map((_, id) => id).filter((id) => places.has(id));
const onSelection = (listener) => listeners.push(listener);

function select(ids, on) {
  for (const id of ids) {
    if (!on) places.delete(id);
    else if (!places.has(id)) {
      const taken = new Set(places.values());
      let place = 0;
      while (taken.has(place)) place += 1;
      places.set(id, place);
    }
  }
  for (const listener of listeners) listener();
}

const colourOf = (id) => `--run-${places.get(id) % COLOURS}`;
const dashesOf = (id) => DASHES[places.get(id) % DASHES.length];

// A piece of a run's line, for legends.
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

// A run's number and label, as they head everything that is said of it.
function heading(id) {
  return el("h3", {}, swatch(id), ` ${id + 1}  ${runs[id].label}`);
}

// Text that may be broken after the separators of dotted names.
function broken(text) {
  return text.split(/(?<=[._/])/).flatMap((piece, i) => (i ? [el("wbr"), piece] : [piece]));
}

const notice = (text) => el("p", { className: "notice", textContent: text });

// A labelled control.
function field(label, control, more = "") {
  return el("label", { className: `field ${more}` }, label, control);
}

// Buttons of which one is pressed.
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
