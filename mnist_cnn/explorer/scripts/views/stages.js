/* The network's layers from left to right: their maps, built once and painted every frame. */

import {byId, element, number} from "../page/dom.js";
import {buildBars} from "./answer.js";
import {roveFocus} from "../page/focus.js";
import {LAYERS} from "../network/layers.js";
import {shownOf} from "./motion.js";
import {Picture} from "../drawing/picture.js";
import {
  drawNow,
  narrow,
  pointAway,
  refresh,
  select,
  selected,
  selectionOf,
  short,
  state,
  strongest,
} from "../page/state.js";

/* From a layer's name to {section, container, nodes, pictures, box}: a node is what is pointed
   at, a picture what is painted, the box marks a place in one of the nodes. */
export const stages = {};

export function buildStages() {
  for (const layer of Object.keys(LAYERS)) {
    const section = document.querySelector(`[data-layer=${layer}]`);
    const container = section.querySelector(".maps");
    const stage = (stages[layer] = {
      section,
      container,
      nodes: [],
      pictures: [],
      box: element("i", {className: "box"}),
    });
    if (layer === "dense") buildUnits(stage);
    else if (layer === "output") stage.nodes = buildBars(container);
    else buildMaps(layer, stage);
    if (stage.nodes.length > 1) roveFocus(container, stage.nodes);
    container.addEventListener("pointerleave", pointAway);
  }
}

/* Where in a canvas of so many rows and columns an event is. */
export function cellAt(event, canvas, rows, columns) {
  const box = canvas.getBoundingClientRect();
  const within = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
  return {
    row: within((event.clientY - box.top) / box.height, rows),
    column: within((event.clientX - box.left) / box.width, columns),
  };
}

function buildMaps(layer, stage) {
  const {size} = LAYERS[layer];
  const maps = layer === "input" ? 1 : LAYERS[layer].maps; // its channels are one picture
  const name = stage.section.querySelector("h2").textContent;
  for (let map = 0; map < maps; map++) {
    const canvas = element("canvas");
    const node = element("button", {type: "button", className: "map"}, canvas);
    node.setAttribute(
      "aria-label",
      maps > 1 ? `${name}, map ${map}` : `${name}, what the network sees`,
    );
    stage.nodes.push(node);
    stage.pictures.push(new Picture(canvas, size));
    stage.container.append(node);
    wireMap(node, canvas, layer, map);
  }
  if (layer === "input") {
    const canvas = element("canvas", {className: "overlay"});
    stage.overlay = new Picture(canvas, size);
    stage.nodes[0].append(canvas, byId("pad-outline").cloneNode(true));
    stage.nodes[0].lastChild.removeAttribute("id");
  }
}

function wireMap(node, canvas, layer, map) {
  const {size} = LAYERS[layer];
  const at = (event) => {
    const {row, column} = cellAt(event, canvas, size, size);
    return {...selectionOf(layer, map, row, column), isChosen: true};
  };
  node.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") select(at(event), false);
  });
  node.addEventListener("focus", () => {
    if (node.matches(":focus-visible")) select(strongest(layer, map), true);
  });
  node.addEventListener("click", (event) => {
    if (event.detail > 0) {
      select(at(event), true);
      return;
    }
    select(strongest(layer, map), true); // Enter or Space: on to the pixels
    drawNow();
    const here = byId("here");
    if (here) here.focus();
  });
}

/* 256 units are one canvas: too many, and too small, for buttons. */
function buildUnits(stage) {
  const units = LAYERS.dense.maps;
  const canvas = element("canvas", {tabIndex: 0});
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "256 units: choose with the arrow keys");
  const lay = () => {
    stage.columns = narrow.matches ? 32 : short.matches ? 16 : 8;
    stage.pictures[0] = new Picture(canvas, stage.columns, units / stage.columns);
  };
  lay();
  for (const query of [narrow, short]) {
    query.addEventListener("change", () => {
      lay();
      refresh();
    });
  }
  const frame = element("div", {className: "unit-grid"}, canvas);
  stage.nodes.push(frame);
  stage.container.append(frame);
  const at = (event) => {
    const {row, column} = cellAt(event, canvas, units / stage.columns, stage.columns);
    return selectionOf("dense", row * stage.columns + column);
  };
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") select(at(event), false);
  });
  canvas.addEventListener("click", (event) => select(at(event), true));
  canvas.addEventListener("focus", () => {
    if (canvas.matches(":focus-visible") && state.kept.layer !== "dense") {
      const best = state.network.values.dense.reduce(
        (top, value, i, all) => (value > all[top] ? i : top),
        0,
      );
      select(selectionOf("dense", best), true);
    }
  });
  canvas.addEventListener("keydown", (event) => {
    const moves = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -stage.columns, ArrowDown: stage.columns};
    if (!(event.key in moves)) return;
    event.preventDefault();
    const unit = state.kept.map + moves[event.key];
    if (unit >= 0 && unit < units) select(selectionOf("dense", unit), true);
  });
}

/* The numbers that get full colour in the maps of the layer that is looked at. */
export function paintLegend() {
  const {layer} = selected();
  if (layer === "input" || layer === "output") return;
  const kind = state.showRaw && layer in state.network.raw ? "raw" : "values";
  const most = number(state.scale[kind][layer], 1);
  const [least, , largest] = byId("legend").querySelectorAll("span");
  least.textContent = `\u2212${most}`;
  largest.textContent = most;
}

export function paintStages() {
  const {network, palette, scale, input, showRaw} = state;
  for (const [layer, {pictures}] of Object.entries(stages)) {
    if (layer === "output") continue;
    const {size} = LAYERS[layer];
    if (layer === "input") {
      pictures[0].paintInput(input.pixels, palette.ink);
      continue;
    }
    const kind = showRaw && layer in network.raw ? "raw" : "values";
    pictures.forEach((picture, map) =>
      picture.paintSigned(
        network[kind][layer],
        map * size * size,
        scale[kind][layer],
        palette.signed,
        shownOf(layer, map),
      ),
    );
  }
}
