/* The training film: the whole network as it was after each epoch, asked about today's picture. Its
   weights have six bits each. */

import {byId, element, onInput, percent} from "../page/dom.js";
import {largest} from "../drawing/grids.js";
import {KERNEL, LAYERS, TAPS, isColour} from "../network/layers.js";
import {Network} from "../network/network.js";
import {Picture} from "../drawing/picture.js";
import {scaled, schedule, state} from "../page/state.js";
import {isShown} from "../page/tabs.js";

const FRAME = 700; // ms for an epoch

const calm = matchMedia("(prefers-reduced-motion: reduce)");

let film, slider, caption, playButton, pictures, answers, scale, limits;
let timer = 0;

const best = (output) => output.indexOf(Math.max(...output));

/* frames: [{epoch, accuracy, weights}]. */
export function buildFilm(frames) {
  film = frames.map(({epoch, accuracy, weights}) => ({
    epoch,
    accuracy,
    network: new Network(weights),
  }));
  const taps = LAYERS.input.maps * TAPS;
  const kernelOf = ({network}, map) => network.conv1.kernels.subarray(map * taps, (map + 1) * taps);
  const last = film[film.length - 1];
  scale = largest(last.network.conv1.kernels);
  // in colour each kernel has a scale of its own for all epochs
  limits = Array.from({length: LAYERS.conv1.maps}, (_, map) =>
    Math.max(1e-6, ...film.map((frame) => largest(kernelOf(frame, map)))),
  );
  slider = element("input", {type: "range", min: 0, max: film.length - 1, step: 1});
  slider.value = film.length - 1;
  slider.setAttribute("aria-label", "Epoch");
  caption = element("b");
  playButton = element("button", {type: "button", className: "plain", textContent: "Play"});
  answers = film.map(({epoch, accuracy}, i) => {
    const bar = element("i");
    const digit = element("b");
    const share = element("span");
    const node = element(
      "button",
      {type: "button", className: "film-answer"},
      element("span", {}, epoch === 0 ? "before" : `epoch ${epoch}`),
      digit,
      element("em", {}, bar),
      share,
      element("small", {}, `${(100 * accuracy).toFixed(2)} % right`),
    );
    node.addEventListener("click", () => {
      stop();
      slider.value = i;
      schedule();
    });
    return {node, digit, bar, share};
  });
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
    element(
      "div",
      {className: "film-body"},
      element("div", {className: "film-answers"}, ...answers.map(({node}) => node)),
      element("div", {className: "film"}, ...pictures.map(({node}) => node)),
    ),
    element(
      "p",
      {className: "about"},
      `The whole network as it was then answers for the ${state.noun} on the pad; beside it, how ` +
        `many of the test ${state.noun}s it had right. Each pair is a kernel of the first layer ` +
        "and the map that it makes, after ReLU. The film's weights have 6 bits each.",
    ),
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
    calm.matches ? 3 * FRAME : FRAME,
  );
}

function stop() {
  clearInterval(timer);
  timer = 0;
  playButton.textContent = "Play";
}

export function paintFilm(inputChanged) {
  if (!isShown("film") || !film) return;
  const shown = Number(slider.value);
  if (inputChanged) {
    const pixels = scaled(state.input.pixels);
    film.forEach(({network}, i) => {
      const output = network.forward(pixels);
      const answer = best(output);
      answers[i].digit.textContent = state.names[answer];
      answers[i].bar.style.transform = `scaleX(${output[answer]})`;
      answers[i].share.textContent = percent(output[answer]);
    });
  }
  answers.forEach(({node}, i) => node.setAttribute("aria-pressed", i === shown));
  const {epoch, network} = film[shown];
  caption.textContent = epoch === 0 ? "before training" : `after epoch ${epoch}`;
  slider.setAttribute("aria-valuetext", caption.textContent);
  const {size} = LAYERS.conv1;
  pictures.forEach((picture, map) => {
    const start = map * LAYERS.input.maps * TAPS;
    const {kernels} = network.conv1;
    if (isColour()) picture.kernel.paintColours(kernels, start, limits[map]);
    else picture.kernel.paintSigned(kernels, start, scale, state.palette.signed);
    const {conv1} = network.values;
    picture.made.paintSigned(
      conv1,
      map * size * size,
      state.scale.values.conv1,
      state.palette.signed,
    );
  });
}
