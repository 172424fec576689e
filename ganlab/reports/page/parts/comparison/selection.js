// The runs of a comparison, and the selection of some of them.

const page = data("comparison");
const runs = page.runs;
const curvesOf = (id) => data(`curves-${id}`);
const picturesOf = (id) => data(`pictures-${id}`);

// Return a setting of a run as text, or null if the run lacks it.
function setting(key, id) {
  const entry = entryOf(page.settings, key);
  if (!entry) return null;
  const index = entry.of === 0 ? 0 : entry.of[id];
  return index < 0 ? null : entry.values[index];
}

// A selected run takes the lowest free slot and keeps it; the slot decides its line.
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

// Draw a short sample of a run's line.
const swatchOf = (id) => swatch(slots.get(id));

// Make the heading of a run's card: its line, number and label.
function heading(id) {
  return el("h3", {}, swatchOf(id), ` ${id + 1}  ${runs[id].label}`);
}

// Return the condition that the doctor found first, or null.
function condition(run) {
  return run.doctor.findings ? run.doctor.findings[0].condition.replaceAll("_", " ") : null;
}
