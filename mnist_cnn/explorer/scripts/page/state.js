/* What the page shows, and the frame that is drawn when something changes. */

import {LAYERS} from "../network/layers.js";

export const selectionOf = (layer, map, row = 0, column = 0) => ({
  layer,
  map,
  row,
  column,
  channel: null,
});

export const narrow = matchMedia("screen and (max-width: 759px)");
export const short = matchMedia("(min-width: 1260px) and (max-height: 819px)");

export const state = {
  network: null,
  edits: null, // changes to the network by hand
  names: [], // of the classes
  noun: "digit", // what a picture of the data set is called
  handwriting: true, // whether a drawing is centred as MNIST's digits were
  nothing: [0], // the byte of each channel where a picture shows nothing
  digitOf: null, // test digit by number
  favourites: null, // test digits that each map and unit likes best, see bench/looks.js
  trust: null, // the rule for unsure answers
  palette: null,
  scale: null, // see drawing/scale.js
  kept: selectionOf("conv1", 0), // by click, tap or keyboard
  pointed: null, // under the pointer, while it is there
  showRaw: false,
  showSaliency: false,
  input: null, // as Pad.read returns it, and transformed
  motion: null, // {layer, map, step, playing} while a sum is shown step by step
};

export const scaled = (bytes) => Float32Array.from(bytes, (byte) => byte / 256);

export const selected = () => state.pointed || state.kept;

const frame = {scheduled: false, inputChanged: true, draw: () => {}};

/* draw(inputChanged) is called once a frame in which something changed. */
export function onFrame(draw) {
  frame.draw = draw;
}

export function drawNow() {
  frame.scheduled = false;
  const {inputChanged} = frame;
  frame.inputChanged = false;
  frame.draw(inputChanged);
}

export function schedule() {
  if (frame.scheduled) return;
  frame.scheduled = true;
  requestAnimationFrame(drawNow);
}

/* A channel of the input. */
export const channelName = (channel) =>
  LAYERS.input.maps === 3 ? ["red", "green", "blue"][channel] : `channel ${channel}`;

/* "a 5", "Sneaker". */
export const aClass = (number) =>
  state.noun === "digit" ? `a ${state.names[number]}` : state.names[number];

/* The whole page computed and painted anew: another drawing, other colours. */
export function refresh() {
  frame.inputChanged = true;
  schedule();
}

const listeners = [];

/* listener() is called when another selection is kept. */
export function onKept(listener) {
  listeners.push(listener);
}

export function select(selection, keep) {
  if (state.motion && state.motion.playing && !keep) return; // the window moves by itself
  if (keep) {
    state.kept = selection;
    state.pointed = null;
    for (const listener of listeners) listener();
  } else if (!narrow.matches || selection.layer === state.kept.layer) {
    // on a narrow page the inspector stands among the stages: pointing at another one's map must
    // not change its height, and so move the map away from under the pointer
    state.pointed = selection;
  }
  schedule();
}

export function pointAway() {
  state.pointed = null;
  schedule();
}

/* Until a pixel was chosen, the one to look at is the map's strongest for what is drawn now. */
export function followStrongest() {
  const {layer, map, isChosen, channel} = state.kept;
  if (isChosen || LAYERS[layer].size === 1 || layer === "input") return;
  state.kept = {...strongest(layer, map), channel};
}

/* The place of a map's largest value: what to look at when nobody points at a pixel. */
export function strongest(layer, map) {
  const {size} = LAYERS[layer];
  const values = state.network.values[layer].subarray(map * size * size, (map + 1) * size * size);
  const best = values.reduce((top, value, i) => (value > values[top] ? i : top), 0);
  return selectionOf(layer, map, Math.floor(best / size), best % size);
}
