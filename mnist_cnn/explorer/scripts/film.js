/* The training film: the first layer's kernels after each epoch, and their maps of the digit. */

import {byId, element, onInput} from "./dom.js";
import {largest} from "./grids.js";
import {KERNEL, LAYERS, TAPS, convolve, isColour, rectify, turnKernels} from "./layers.js";
import {Picture} from "./picture.js";
import {schedule, state} from "./state.js";
import {isShown} from "./tabs.js";

const FRAME = 700; // ms for an epoch

const calm = matchMedia("(prefers-reduced-motion: reduce)");

let film, slider, caption, playButton, pictures, scale, limits;
let timer = 0;

export function buildFilm({epochs, kernels}) {
  const taps = LAYERS.input.maps * TAPS;
  const size = LAYERS.conv1.maps * taps;
  film = epochs.map((epoch, i) => ({
    epoch,
    kernels: turnKernels(kernels.subarray(i * size, (i + 1) * size)),
  }));
  scale = film[film.length - 1].kernels.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
  // in colour each kernel has a scale of its own for all epochs
  limits = Array.from({length: LAYERS.conv1.maps}, (_, map) =>
    Math.max(
      1e-6,
      ...film.map((frame) => largest(frame.kernels.subarray(map * taps, (map + 1) * taps)))
    )
  );
  slider = element("input", {
    type: "range",
    min: 0,
    max: film.length - 1,
    value: film.length - 1,
    step: 1,
  });
  slider.setAttribute("aria-label", "Epoch");
  caption = element("b");
  playButton = element("button", {type: "button", className: "plain", textContent: "Play"});
  pictures = Array.from({length: 32}, (_, map) => {
    const kernel = element("canvas");
    const made = element("canvas");
    const node = element("div", {className: "film-map", title: `Map ${map}`}, kernel, made);
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", `Kernel and map ${map}`);
    return {
      node,
      // of channels that are no colours the first one is shown
      kernel: new Picture(kernel, KERNEL),
      made: new Picture(made, LAYERS.conv1.size),
    };
  });
  onInput(slider, () => {
    stop();
    schedule();
  });
  playButton.addEventListener("click", () => (timer ? stop() : start()));
  byId("panel-film").append(
    element("div", {className: "film-tools"}, playButton, slider, caption),
    element("div", {className: "film"}, ...pictures.map(({node}) => node)),
    element(
      "p",
      {className: "about"},
      "Each pair is a kernel of the first layer and the map that it " +
        `makes of the ${state.noun}, after ReLU. The biases are today's.`
    )
  );
}

function start() {
  if (Number(slider.value) === film.length - 1) slider.value = 0;
  playButton.textContent = "Pause";
  schedule();
  timer = setInterval(
    () => {
      slider.value = Number(slider.value) + 1;
      if (Number(slider.value) === film.length - 1) stop();
      schedule();
    },
    calm.matches ? 3 * FRAME : FRAME
  );
}

function stop() {
  clearInterval(timer);
  timer = 0;
  playButton.textContent = "Play";
}

export function paintFilm() {
  if (!isShown("film") || !film) return;
  const {epoch, kernels} = film[Number(slider.value)];
  caption.textContent = epoch === 0 ? "before training" : `after epoch ${epoch}`;
  slider.setAttribute("aria-valuetext", caption.textContent);
  const {biases} = state.network.conv1;
  const {size, maps} = LAYERS.conv1;
  const made = new Float32Array(maps * size * size);
  convolve(state.network.values.input, LAYERS.input.size, {kernels, biases}, made);
  rectify(made, made);
  pictures.forEach((picture, map) => {
    const start = map * LAYERS.input.maps * TAPS;
    if (isColour()) picture.kernel.paintColours(kernels, start, limits[map]);
    else picture.kernel.paintSigned(kernels, start, scale, state.palette.signed);
    picture.made.paintSigned(
      made,
      map * size * size,
      state.scale.values.conv1,
      state.palette.signed
    );
  });
}
