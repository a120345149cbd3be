/* Convolution and dense layers: values × weights, added up over all maps below. */

import {element, number} from "../page/dom.js";
import {makeDrawable} from "./edit_tools.js";
import {roveFocus} from "../page/focus.js";
import {largest} from "../drawing/grids.js";
import {KERNEL, LAYERS, TAPS, isColour} from "../network/layers.js";
import {stepOf} from "./motion.js";
import {Picture} from "../drawing/picture.js";
import {channelName, state} from "../page/state.js";

let channels = [];
let colours = null; // the kernel in colour, where it reads a colour picture
let channelShown = 0;

const readsColour = (layer) => LAYERS[layer].below === "input" && isColour();

/* What a map below is called. */
const nameOf = (layer, channel) =>
  LAYERS[layer].below === "input" ? channelName(channel) : `map ${channel}`;

const capital = (text) => text[0].toUpperCase() + text.slice(1);

export const convolutionView = {
  build(inspector) {
    colours = null;
    return [...build(inspector, KERNEL, "Kernel"), inspector.buildHere()];
  },
  update(inspector, selection) {
    if (colours) {
      const {kernels} = state.network.conv1;
      const start = selection.map * 3 * TAPS;
      const kernel = kernels.subarray(start, start + 3 * TAPS);
      colours.paintColours(kernel, 0, largest(kernel));
    }
    update(inspector, selection, `pixel (${selection.row}, ${selection.column})`);
    inspector.paintHere(`Map ${selection.map}`);
  },
};

export const denseView = {
  build(inspector) {
    return build(inspector, LAYERS[LAYERS[inspector.layer].below].size, "Weights");
  },
  update(inspector, selection) {
    update(inspector, selection, `unit ${selection.map}`);
  },
};

function build(inspector, width, weights) {
  const {below} = LAYERS[inspector.layer];
  const {grids} = inspector;
  const several = LAYERS[below].maps > 1;
  const kernel = grids.build("kernel", weights, width);
  makeDrawable(grids.get("kernel").cells, () => channelShown);
  roveFocus(kernel, grids.get("kernel").cells);
  return [
    ...(several ? [buildChannels(inspector, below)] : []),
    inspector.buildBelow(),
    inspector.buildMiddle(
      grids.build("input", "Values in the frame", width),
      inspector.buildSign("×"),
      kernel,
      inspector.buildSign("="),
      grids.build("product", "Products", width),
    ),
  ];
}

/* One button for each map below, with the sum over its products. */
function buildChannels(inspector, below) {
  channels = Array.from({length: LAYERS[below].maps}, (_, channel) => {
    const button = element("button", {type: "button"});
    button.addEventListener("pointerenter", (event) => {
      if (event.pointerType !== "touch") inspector.onChannel(channel, false);
    });
    button.addEventListener("click", () => inspector.onChannel(channel, true));
    button.addEventListener("focus", () => {
      if (button.matches(":focus-visible")) inspector.onChannel(channel, true);
    });
    return button;
  });
  const {layer} = inspector;
  const figure = inspector.figure(
    "channels",
    below === "input" ? "Sum over each channel" : "Sum over each map below",
    ...channels,
  );
  figure.classList.toggle("few", channels.length < 4);
  figure.addEventListener("pointerleave", () => inspector.onLeave());
  roveFocus(figure.lastChild, channels);
  if (readsColour(layer)) {
    const canvas = element("canvas", {className: "in-colour"});
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "The kernel in colour; grey is 0");
    colours = new Picture(canvas, KERNEL);
    figure.append(element("figcaption", {}, "In colour; grey is 0"), canvas);
  }
  return figure;
}

function update(inspector, {layer, map, row, column, channel}, name) {
  const {grids} = inspector;
  const {below} = LAYERS[layer];
  const terms = state.network.terms(layer, map, row, column, channel);
  channelShown = terms.channel;
  inspector.paintBelow(terms.channel, terms.row, terms.column, terms.width);
  grids.fill("input", terms.patch, below === "input" ? 1 : state.scale.values[below], 2);
  grids.get("input").table.classList.toggle("inked", below === "input");
  grids.fill("kernel", terms.kernel, largest(terms.kernel), 2);
  grids.fill("product", terms.products, largest(terms.products), 2);

  const step = LAYERS[layer].size === 1 ? stepOf({layer, map}) : null;
  if (terms.sums.length > 1) fillChannels(layer, terms, step);
  if (step !== null && step < terms.sums.length - 1) {
    writeRunningSum(inspector, terms, step);
    return;
  }
  const count = terms.width ** 2;
  const sum = terms.sums[terms.channel];
  const parts = [];
  if (terms.sums.length > 1) {
    const others = terms.sums.reduce((total, value) => total + value, 0) - sum;
    const name = nameOf(layer, terms.channel);
    const kind = below === "input" ? "channels" : "maps";
    parts.push({name: `${name}: ${count} products`, value: number(sum, 3)}, "+", {
      name: `the ${terms.sums.length - 1} other ${kind}`,
      value: number(others, 3),
    });
  } else {
    parts.push({name: `${count} products`, value: number(sum, 3)});
  }
  const {showRaw} = state;
  const isSilenced = state.edits.isSilenced(layer, map);
  inspector.write(
    ...parts,
    "+",
    {name: "bias", value: number(terms.bias, 3)},
    "=",
    {name: "raw sum", value: number(terms.raw, 3), result: showRaw},
    isSilenced ? "→ silenced →" : "→ ReLU →",
    {name, value: number(isSilenced ? 0 : Math.max(0, terms.raw), 3), result: !showRaw},
  );
}

/* The sum over the maps from 0 to `step`, while it grows. */
function writeRunningSum(inspector, {sums, channel}, step) {
  const before = sums.slice(0, step).reduce((total, value) => total + value, 0);
  inspector.write(
    {name: step ? `maps 0 to ${step - 1}` : "nothing yet", value: number(before, 3)},
    "+",
    {name: `map ${channel}`, value: number(sums[step], 3)},
    "=",
    {name: `maps 0 to ${step}`, value: number(before + sums[step], 3), result: true},
    "+ …",
  );
}

function fillChannels(layer, {sums, channel}, step) {
  const scale = largest(sums);
  channels.forEach((button, c) => {
    const value = number(sums[c], 2);
    const text = LAYERS[layer].below === "input" ? `${channelName(c)} ${value}` : value;
    if (button.textContent !== text) button.textContent = text;
    button.style.setProperty("--t", Math.abs(sums[c]) / scale);
    button.classList.toggle("negative", sums[c] < 0);
    button.classList.toggle("chosen", c === channel);
    button.classList.toggle("later", step !== null && c > step);
    button.setAttribute("aria-label", `${capital(nameOf(layer, c))} below: ${value}`);
    button.setAttribute("aria-pressed", c === channel);
  });
}
