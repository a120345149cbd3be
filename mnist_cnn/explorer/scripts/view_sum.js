/* Convolution and dense layers: values × weights, added up over all maps below. */

import {element, number} from "./dom.js";
import {makeDrawable} from "./edit_tools.js";
import {roveFocus} from "./focus.js";
import {largest} from "./grids.js";
import {KERNEL, LAYERS} from "./layers.js";
import {stepOf} from "./motion.js";
import {state} from "./state.js";

let channels = [];
let channelShown = 0;

export const convolutionView = {
  build(inspector) {
    return [...build(inspector, KERNEL, "Kernel"), inspector.buildHere()];
  },
  update(inspector, selection) {
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
      grids.build("product", "Products", width)
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
  const figure = inspector.figure("channels", "Sum over each map below", ...channels);
  figure.addEventListener("pointerleave", () => inspector.onLeave());
  roveFocus(figure.lastChild, channels);
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
  if (terms.sums.length > 1) fillChannels(terms, step);
  if (step !== null && step < terms.sums.length - 1) {
    writeRunningSum(inspector, terms, step);
    return;
  }
  const count = terms.width ** 2;
  const sum = terms.sums[terms.channel];
  const parts = [];
  if (terms.sums.length > 1) {
    const others = terms.sums.reduce((total, value) => total + value, 0) - sum;
    parts.push({name: `map ${terms.channel}: ${count} products`, value: number(sum, 3)}, "+", {
      name: `the ${terms.sums.length - 1} other maps`,
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
    {name, value: number(isSilenced ? 0 : Math.max(0, terms.raw), 3), result: !showRaw}
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
    "+ …"
  );
}

function fillChannels({sums, channel}, step) {
  const scale = largest(sums);
  channels.forEach((button, c) => {
    const text = number(sums[c], 2);
    if (button.textContent !== text) button.textContent = text;
    button.style.setProperty("--t", Math.abs(sums[c]) / scale);
    button.classList.toggle("negative", sums[c] < 0);
    button.classList.toggle("chosen", c === channel);
    button.classList.toggle("later", step !== null && c > step);
    button.setAttribute("aria-label", `Map ${c} below: ${text}`);
    button.setAttribute("aria-pressed", c === channel);
  });
}
