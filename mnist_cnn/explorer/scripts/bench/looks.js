/* What a map, a unit or a class looks for: a picture grown by gradient ascent (Simonyan et al.
   2014, Yosinski et al. 2015), and the test pictures that excite it most. */

import {byId, element} from "../page/dom.js";
import {LAYERS, inputCount, isInk} from "../network/layers.js";
import {Picture} from "../drawing/picture.js";
import {aClass, schedule, selected, state} from "../page/state.js";
import {isShown} from "../page/tabs.js";

const STEPS = 90;
const RATE = 0.35; // how far a step goes, in the largest pixel
const DECAY = 0.985; // what is left of a pixel after a step
const BLUR = 0.12; // how much of its neighbours a pixel takes over

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const STARTS = {conv1: 0, conv2: 32, dense: 64, output: 320};

let twin, picture, caption, thumbs, note;
let grown = {key: "", pixels: null, left: 0};

export function buildLooks(pick) {
  twin = state.network.twin();
  const canvas = element("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The picture that excites it most, grown from nothing");
  picture = new Picture(canvas, LAYERS.input.size);
  caption = element("figcaption");
  note = element("p", {className: "about"});
  thumbs = Array.from({length: 9}, () => {
    const small = element("canvas");
    const label = element("span");
    const node = element("button", {type: "button", className: "thumb"}, small, label);
    const thumb = {node, label, picture: new Picture(small, LAYERS.input.size), digit: null};
    node.addEventListener("click", () => pick(thumb.digit));
    return thumb;
  });
  const again = element("button", {
    type: "button",
    className: "plain",
    textContent: "Grow it again",
  });
  again.addEventListener("click", () => {
    grown.key = "";
    schedule();
  });
  byId("panel-looks").append(
    element(
      "div",
      {className: "looks"},
      element("figure", {className: "grown"}, caption, canvas, again),
      element(
        "figure",
        {className: "favourites"},
        element("figcaption", {}, `The test ${state.noun}s that excite it most`),
        element("div", {className: "thumbs"}, ...thumbs.map(({node}) => node)),
      ),
      note,
    ),
  );
}

/* Where a pool or the input is selected, what lies below counts. */
function placeOf({layer, map}) {
  if (layer === "input") return {layer: "output", map: answer()};
  return LAYERS[layer].kind === "pooling" ? {layer: LAYERS[layer].below, map} : {layer, map};
}

function answer() {
  const {output} = state.network.values;
  return output.indexOf(Math.max(...output));
}

export function paintLooks() {
  if (!isShown("looks")) return;
  const {layer, map} = placeOf(selected());
  const key = [layer, map, state.edits.version].join();
  if (key !== grown.key) {
    grown = {
      key,
      left: STEPS,
      pixels: Float32Array.from(
        {length: inputCount()},
        // on an even colour many rectifiers are silent and pass no gradient on
        (_, i) =>
          neutral(i) + (isInk() ? 0.08 + 0.02 * Math.sin(i * 7.3) : 0.25 * Math.sin(i * 7.3)),
      ),
    };
    if (calm.matches) while (grown.left > 0) ascend(layer, map);
    fillThumbs(layer, map);
    const what =
      {output: `the class ${state.names[map]}`, dense: `unit ${map}`}[layer] || `map ${map}`;
    caption.textContent = `What excites ${what}`;
    note.textContent =
      "The picture starts grey. Step by step, each pixel is moved to where " +
      `${layer === "output" ? "the score" : "the sum"} rises most, and blurred a little. It ` +
      `shows what is looked for, and that a picture need not be ${thing()} to please the network. ` +
      `A click on a test ${state.noun} shows it to the network.`;
  }
  if (grown.left > 0) {
    ascend(layer, map);
    schedule();
  }
  picture.paintInput(
    Uint8Array.from(grown.pixels, (value) => Math.round(255 * value)),
    state.palette.ink,
  );
}

/* What a pixel of the input is where nothing is: paper, or the mean colour. */
const neutral = (i) => state.nothing[Math.floor(i / LAYERS.input.size ** 2)] / 256;

const thing = () => (state.noun === "digit" ? "a digit" : "anything that we know");

function ascend(layer, map) {
  const {pixels} = grown;
  const middle = Math.floor(LAYERS[layer].size / 2);
  twin.forward(pixels);
  const gradient = twin.gradient(layer, map, middle, middle);
  const largest = gradient.reduce((best, value) => Math.max(best, Math.abs(value)), 1e-9);
  const rate = (RATE * grown.left) / STEPS;
  const moved = pixels.map(
    (value, i) => neutral(i) + DECAY * (value - neutral(i)) + (rate * gradient[i]) / largest,
  );
  const {size} = LAYERS.input;
  const within = (place) => Math.max(0, Math.min(size - 1, place));
  grown.pixels = moved.map((value, i) => {
    const start = i - (i % (size * size)); // of its channel
    const at = (row, column) => moved[start + within(row) * size + within(column)];
    const row = Math.floor((i - start) / size);
    const column = i % size;
    const around =
      (at(row - 1, column) + at(row + 1, column) + at(row, column - 1) + at(row, column + 1)) / 4;
    return Math.max(0, Math.min(1, value + BLUR * (around - value)));
  });
  grown.left--;
}

function fillThumbs(layer, map) {
  const first = 9 * (STARTS[layer] + map);
  thumbs.forEach((thumb, i) => {
    const digit = (thumb.digit = state.digitOf(state.favourites[first + i]));
    thumb.picture.paintInput(digit.pixels, state.palette.ink);
    thumb.label.textContent = `№ ${digit.index}`;
    thumb.node.setAttribute("aria-label", `Test picture ${digit.index}: ${aClass(digit.label)}`);
  });
}

/* The colours have changed. */
export function recolourLooks() {
  for (const {digit, picture: small} of thumbs) {
    if (digit) small.paintInput(digit.pixels, state.palette.ink);
  }
}
