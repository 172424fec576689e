// The film of samples: a slider through training, a button that plays it, and the file to save.

const SMALL = 640; // pictures are enlarged by whole factors up to this many pixels
const PLAY_MS = [200, 1000]; // milliseconds of a picture; the second for readers who want less motion

function startFilm() {
  const film = data("run-film");
  if (!film.length) {
    byId("film").append(notice("There are no samples yet, or none that can be shown."));
    return;
  }
  const last = film.length - 1;
  const picture = el("img", { decoding: "async", id: "frame" });
  const value = el("output", { id: "slider-value" });
  const slider = el("input", {
    type: "range", id: "slider", min: "0", max: String(last), step: "1", value: String(last),
    disabled: last === 0, oninput: () => {
      pause();
      show();
    },
  });
  const button = el("button", { type: "button", id: "play", disabled: last === 0, onclick: () => (timer ? pause() : play()) });
  let timer = null;

  function show() {
    const { examples, data: source } = film[Number(slider.value)];
    const text = `${withCommas.format(examples)} examples seen`;
    picture.src = source;
    picture.alt = `Samples at ${text}`;
    value.textContent = text;
    slider.setAttribute("aria-valuetext", text);
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  }

  function play() {
    const wantsLess = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (Number(slider.value) === last) slider.value = "0";
    show();
    button.textContent = "Pause";
    timer = setInterval(() => {
      slider.value = String(Number(slider.value) + 1);
      show();
      if (Number(slider.value) === last) pause();
    }, PLAY_MS[wantsLess ? 1 : 0]);
  }

  // Small pictures are enlarged by a whole factor, so that all of their pixels are of one size.
  picture.addEventListener("load", () => {
    const factor = Math.max(1, Math.floor(SMALL / Math.max(picture.naturalWidth, picture.naturalHeight)));
    picture.style.width = `${picture.naturalWidth * factor}px`;
    const isEnlarged = picture.clientWidth * devicePixelRatio >= picture.naturalWidth;
    picture.classList.toggle("pixelated", isEnlarged);
  });
  const box = byId("film");
  box.append(
    picture,
    el("div", { className: "controls" }, button, el("label", { className: "field growing" }, value, slider)),
  );
  if (byId("run-gif")) {
    const gif = data("run-gif");
    const text = `Save the film as ${gif.name}`;
    box.append(el("p", {}, el("a", { href: gif.data, download: gif.name, id: "save", textContent: text })));
  }
  pause();
  show();
}
