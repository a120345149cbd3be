/* Convolution and dense layers: values × weights, added up over all maps below. */

import {element, number} from "./dom.js";
import {roveFocus} from "./focus.js";
import {largest} from "./grids.js";
import {KERNEL, LAYERS} from "./layers.js";
import {state} from "./state.js";

let channels = [];

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
  return [
    ...(several ? [buildChannels(inspector, below)] : []),
    inspector.buildBelow(),
    inspector.buildMiddle(
      grids.build("input", "Values in the frame", width), inspector.buildSign("×"),
      grids.build("kernel", weights, width), inspector.buildSign("="),
      grids.build("product", "Products", width)),
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
  inspector.paintBelow(terms.channel, terms.row, terms.column, terms.width);
  grids.fill("input", terms.patch, below === "input" ? 1 : state.scale.values[below], 2);
  grids.get("input").table.classList.toggle("inked", below === "input");
  grids.fill("kernel", terms.kernel, largest(terms.kernel), 2);
  grids.fill("product", terms.products, largest(terms.products), 2);

  const count = terms.width ** 2;
  const sum = terms.sums[terms.channel];
  const parts = [];
  if (terms.sums.length > 1) {
    fillChannels(terms);
    const others = terms.sums.reduce((total, value) => total + value, 0) - sum;
    parts.push({name: `map ${terms.channel}: ${count} products`, value: number(sum, 3)}, "+",
               {name: `the ${terms.sums.length - 1} other maps`, value: number(others, 3)});
  } else {
    parts.push({name: `${count} products`, value: number(sum, 3)});
  }
  const {showRaw} = state;
  inspector.write(...parts, "+", {name: "bias", value: number(terms.bias, 3)}, "=",
                  {name: "raw sum", value: number(terms.raw, 3), result: showRaw}, "→ ReLU →",
                  {name, value: number(Math.max(0, terms.raw), 3), result: !showRaw});
}

function fillChannels({sums, channel}) {
  const scale = largest(sums);
  channels.forEach((button, c) => {
    const text = number(sums[c], 2);
    if (button.textContent !== text) button.textContent = text;
    button.style.setProperty("--t", Math.abs(sums[c]) / scale);
    button.classList.toggle("negative", sums[c] < 0);
    button.classList.toggle("chosen", c === channel);
    button.setAttribute("aria-label", `Map ${c} below: ${text}`);
    button.setAttribute("aria-pressed", c === channel);
  });
}
