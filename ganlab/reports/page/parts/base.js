// Functions that all scripts use: elements, the data, numbers, the looks of lines, controls.

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

// A line's slot decides its colour and dashes.
const COLOURS = 7;
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3], [14, 4]];
const colourOf = (slot) => `--run-${slot % COLOURS}`;
const dashesOf = (slot) => DASHES[slot % DASHES.length];

// Draw a short sample of the line of a slot, for legends.
function swatch(slot) {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  const line = document.createElementNS(space, "line");
  picture.setAttribute("class", "line");
  picture.setAttribute("aria-hidden", "true");
  const ends = { x1: "0", y1: "6", x2: "36", y2: "6" };
  for (const [name, value] of Object.entries(ends)) line.setAttribute(name, value);
  line.style.stroke = `var(${colourOf(slot)})`;
  line.style.strokeWidth = "2.5";
  line.style.strokeDasharray = dashesOf(slot).join(" ") || "none";
  picture.append(line);
  return picture;
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

const STATES = { finished: "good", failed: "bad", killed: "bad", interrupted: "warn" };
const GOOD = ["healthy", "still_improving"];

const textCell = (text) =>
  el("td", text === null ? { className: "absent", textContent: "–" } : { textContent: text, title: text });
const numberCell = (text) => el("td", { className: "number", textContent: text });
const tagCell = (text, kind) => el("td", {}, el("span", { className: `tag ${kind || ""}`, textContent: text }));

// Return the class of a finding's mark: "bad" for a problem, "good" for a good condition, else "".
const toneOf = (finding) => (finding.kind === "problem" ? "bad" : GOOD.includes(finding.condition) ? "good" : "");
