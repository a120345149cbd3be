/* Two pictures or two models side by side: A is the page's own, B what is kept to compare it with. */

import {byId, element, number, percent} from "../page/dom.js";
import {LAYERS} from "../network/layers.js";
import {Network} from "../network/network.js";
import {Picture} from "../drawing/picture.js";
import {scaled, schedule, select, selected, selectionOf, state, strongest} from "../page/state.js";
import {cellAt} from "../views/stages.js";
import {isShown} from "../page/tabs.js";

let models, modelNames, keptPixels, title, examples;
let sides = {};
let modelOfB = 0;
let layerShown = "conv1";

/* others: the weights of further models; gallery: pictures to begin with, and to match maps by. */
export function buildCompare(names, others, gallery) {
  examples = gallery.map(({pixels}) => scaled(pixels));
  if (!others.length) keptPixels = (gallery[1] || gallery[0] || {pixels: null}).pixels;
  // "as learned" is the page's model without the changes made by hand
  models = [
    state.network.twin(),
    new Network(state.edits.learned()),
    ...others.map((weights) => new Network(weights)),
  ];
  modelNames = [names[0], `${names[0]}, as learned`, ...names.slice(1)];
  modelOfB = others.length ? 2 : 0;
  title = element("h3");
  sides = {A: buildSide("A"), B: buildSide("B"), difference: buildSide("B \u2212 A")};
  const keep = element("button", {
    type: "button",
    className: "plain",
    textContent: `Keep this ${state.noun} as B`,
  });
  keep.addEventListener("click", () => {
    keptPixels = state.input.pixels;
    schedule();
  });
  const follow = element("button", {
    type: "button",
    className: "plain",
    textContent: `Same ${state.noun} in B`,
  });
  follow.addEventListener("click", () => {
    keptPixels = null;
    schedule();
  });
  const choice = element(
    "select",
    {},
    ...modelNames.map((name, i) => element("option", {value: i, selected: i === modelOfB}, name)),
  );
  choice.addEventListener("change", () => {
    modelOfB = Number(choice.value);
    schedule();
  });
  byId("panel-compare").append(
    element(
      "div",
      {className: "compare-tools"},
      title,
      keep,
      follow,
      element("label", {}, "Model of B ", choice),
    ),
    element("div", {className: "compare"}, ...Object.values(sides).map(({node}) => node)),
  );
}

function buildSide(name) {
  const isDifference = name.length > 1;
  const digit = element("canvas");
  const maps = element("canvas", {className: "compared-maps"});
  const heading = element("figcaption");
  const bars = Array.from({length: LAYERS.output.maps}, (_, i) => {
    const bar = element("i");
    return {bar, node: element("span", {}, element("em", {}, bar), state.names[i])};
  });
  maps.setAttribute("role", "img");
  maps.setAttribute(
    "aria-label",
    isDifference ? "The maps of B less those of A" : `Maps of ${name}`,
  );
  maps.addEventListener("click", (event) => {
    const [rows, columns] = gridOf(layerShown);
    const {row, column} = cellAt(event, maps, rows, columns);
    const map = row * columns + column;
    const isMap = LAYERS[layerShown].size > 1;
    select(isMap ? strongest(layerShown, map) : selectionOf(layerShown, map), true);
  });
  const column = element(
    "div",
    {className: "compared-digit"},
    digit,
    element("div", {className: "small-bars"}, ...bars.map(({node}) => node)),
  );
  return {
    heading,
    bars,
    digit: new Picture(digit, LAYERS.input.size),
    maps: {canvas: maps, picture: null},
    node: element(
      "figure",
      {className: `side side-${name[0]}${isDifference ? " difference" : ""}`},
      heading,
      element("div", {className: "side-body"}, ...(isDifference ? [] : [column]), maps),
    ),
  };
}

/* Two trainings find the same things in another order: for each map of A the map of B whose
   activations on the examples correlate most with its own, each taken once, the surest first. */
function matchMaps(a, b, layer) {
  const {maps, size} = LAYERS[layer];
  const gather = (network) => {
    const all = examples.map((pixels) => {
      network.forward(pixels);
      return network.values[layer].slice();
    });
    return Array.from({length: maps}, (_, map) => standardize(all, map, size * size));
  };
  const [ours, theirs] = [gather(a), gather(b)];
  const pairs = [];
  ours.forEach((one, i) =>
    theirs.forEach((other, j) =>
      pairs.push({i, j, r: one.reduce((sum, value, k) => sum + value * other[k], 0)}),
    ),
  );
  pairs.sort((one, other) => other.r - one.r);
  const order = new Array(maps).fill(null);
  const taken = new Set();
  let total = 0;
  for (const {i, j, r} of pairs) {
    if (order[i] !== null || taken.has(j)) continue;
    order[i] = j;
    taken.add(j);
    total += r;
  }
  return {order, correlation: total / maps};
}

/* A map's values over all examples, with mean 0 and length 1. */
function standardize(all, map, area) {
  const values = all.flatMap((layer) => Array.from(layer.subarray(map * area, (map + 1) * area)));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const length = Math.hypot(...values.map((value) => value - mean)) || 1;
  return values.map((value) => (value - mean) / length);
}

let matches = {};

/* Of a model of another training, how its maps stand to A's; else null. */
function matchOf(layer) {
  if (modelOfB < 2) return null;
  const key = [modelOfB, layer, state.edits.version].join();
  if (!matches[key]) {
    const [a, b] = [state.network.twin(), models[modelOfB].twin()];
    matches = {[key]: matchMaps(a, b, layer)};
  }
  return matches[key];
}

function reorder(values, layer, order) {
  const area = LAYERS[layer].size ** 2;
  const result = new Float32Array(values.length);
  order.forEach((from, to) =>
    result.set(values.subarray(from * area, (from + 1) * area), to * area),
  );
  return result;
}

/* In how many rows and columns a layer's maps are laid. */
const gridOf = (layer) => (LAYERS[layer].size > 1 ? [4, 8] : [8, 32]);

/* All maps of a layer in one picture, with a pixel between them. */
function paintMaps(side, layer, values, scale) {
  const {maps, size} = LAYERS[layer];
  const [rows, columns] = gridOf(layer);
  const gap = size > 1 ? 1 : 0;
  const [width, height] = [columns * (size + gap) - gap, rows * (size + gap) - gap];
  const {canvas} = side.maps;
  if (!side.maps.picture || canvas.width !== width || canvas.height !== height) {
    side.maps.picture = new Picture(canvas, width, height);
  }
  const laid = new Float32Array(width * height).fill(NaN);
  for (let map = 0; map < maps; map++) {
    const top = Math.floor(map / columns) * (size + gap);
    const left = (map % columns) * (size + gap);
    for (let i = 0; i < size * size; i++) {
      laid[(top + Math.floor(i / size)) * width + left + (i % size)] =
        values[map * size * size + i];
    }
  }
  side.maps.picture.paintSigned(laid, 0, scale, state.palette.signed);
}

const best = (output) => output.indexOf(Math.max(...output));

export function paintCompare() {
  if (!isShown("compare")) return;
  const pixels = {A: state.input.pixels, B: keptPixels || state.input.pixels};
  const networks = {A: state.network, B: models[modelOfB]};
  models[modelOfB].forward(scaled(pixels.B));
  const chosen = selected().layer;
  const layer = (layerShown = chosen === "input" || chosen === "output" ? "conv1" : chosen);
  const match = matchOf(layer);
  const own = networks.B.values[layer];
  const shown = {
    A: networks.A.values[layer],
    B: match ? reorder(own, layer, match.order) : own,
  };
  for (const name of ["A", "B"]) {
    const {values} = networks[name];
    const side = sides[name];
    side.digit.paintInput(pixels[name], state.palette.ink);
    side.bars.forEach(({bar, node}, digit) => {
      bar.style.transform = `scaleY(${values.output[digit]})`;
      node.classList.toggle("best", digit === best(values.output));
    });
    const model = name === "A" ? modelNames[0] : modelNames[modelOfB];
    const answer = best(values.output);
    side.heading.replaceChildren(
      element("b", {}, `${name}: ${state.names[answer]}`),
      ` at ${percent(values.output[answer])}, ${model}`,
    );
    paintMaps(side, layer, shown[name], state.scale.values[layer]);
  }
  const difference = shown.B.map((value, i) => value - shown.A[i]);
  sides.difference.heading.replaceChildren(
    element("b", {}, "B \u2212 A"),
    ": orange where B has more, blue where A has" +
      (match
        ? `. B's maps stand beside those of A they correlate with most (mean ${number(match.correlation)})`
        : ""),
  );
  paintMaps(sides.difference, layer, difference, state.scale.values[layer]);
  title.textContent = byId(`title-${layer}`).textContent;
}
