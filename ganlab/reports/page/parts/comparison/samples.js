// Sample pictures of the selected runs at one number of examples seen.

const moments = { all: [], examples: Infinity };

// Return the index of the entry nearest to a value.
function nearest(list, value) {
  return list.reduce((best, other, i) => (Math.abs(other - value) < Math.abs(list[best] - value) ? i : best), 0);
}

function figureOf(id) {
  const run = runs[id];
  const about = el("figcaption", {}, swatchOf(id), ` ${id + 1}  ${run.label}`);
  if (!run.pictures.length) {
    const why = run.remote || "No sample pictures in the run's folder.";
    return el("figure", {}, el("div", { className: "empty quiet", textContent: why }), about);
  }
  const picture = el("img", { decoding: "async", alt: "" });
  const when = el("div", { className: "quiet when" });
  about.append(when);
  return el("figure", { "data-id": String(id) }, picture, about);
}

function showMoment() {
  for (const figure of byId("pictures").querySelectorAll("figure[data-id]")) {
    const id = Number(figure.dataset.id);
    const index = nearest(runs[id].pictures, Math.min(moments.examples, Number.MAX_SAFE_INTEGER));
    const picture = figure.querySelector("img");
    if (picture.dataset.index === String(index)) continue;
    picture.dataset.index = String(index);
    const { examples, data: source } = picturesOf(id)[index];
    picture.src = source;
    picture.alt = `Samples of run ${id + 1} at ${withCommas.format(examples)} examples`;
    figure.querySelector(".when").textContent = `at ${withCommas.format(examples)} examples`;
  }
}

function drawSamples() {
  const slider = byId("slider");
  const shown = selected();
  const wanted = moments.examples;
  moments.all = [...new Set(shown.flatMap((id) => runs[id].pictures))].sort((a, b) => a - b);
  slider.max = String(Math.max(moments.all.length - 1, 0));
  slider.disabled = moments.all.length < 2;
  const index = wanted === Infinity ? moments.all.length - 1 : nearest(moments.all, wanted);
  slider.value = String(Math.max(index, 0));
  byId("pictures").replaceChildren(...shown.map(figureOf));
  if (!shown.length) byId("pictures").append(notice("Select runs in the table."));
  sayMoment();
  showMoment();
}

function sayMoment() {
  const examples = moments.all[Number(byId("slider").value)];
  const text = examples === undefined ? "–" : `${withCommas.format(examples)} examples seen`;
  byId("slider").setAttribute("aria-valuetext", text);
  byId("slider-value").textContent = text;
}

function startSamples() {
  const slider = el("input", {
    type: "range", id: "slider", min: "0", max: "0", step: "1", value: "0",
    oninput: () => {
      const last = Number(slider.value) === moments.all.length - 1;
      moments.examples = last ? Infinity : moments.all[Number(slider.value)];
      sayMoment();
      showMoment();
    },
  });
  const value = el("output", { id: "slider-value" });
  byId("moment").append(el("label", { className: "field" },
    el("span", { className: "quiet" }, "Each run's picture nearest to ", value), slider));
  onSelection(drawSamples);
}
