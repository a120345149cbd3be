/* Outlines of what is selected, its receptive field, and the lines from the layer below.

   Where they are is found out only when the selection changes, for asking makes the browser lay
   out the page; while a hand draws, only the strength of the lines follows. */

import {byId} from "../page/dom.js";
import {KERNEL, LAYERS} from "../network/layers.js";
import {stages} from "./stages.js";
import {narrow, selected, state} from "../page/state.js";

const marked = {key: "", nodes: [], lines: []};

export function mark() {
  const selection = selected();
  const {layer, map, row, column} = selection;
  const {kind} = LAYERS[layer];
  const terms =
    kind === "convolution" || kind === "dense"
      ? state.network.terms(layer, map, row, column, selection.channel)
      : {channel: map, sums: []};
  const {sums} = terms;
  const byStrength = (a, b) => Math.abs(sums[b]) - Math.abs(sums[a]);
  // of the 256 units only those that count most
  const sources =
    sums.length > 32
      ? [...sums.keys()].sort(byStrength).slice(0, 24)
      : sums.length > 1 && LAYERS[layer].below !== "input"
        ? [...sums.keys()]
        : [];
  const key = [
    layer,
    map,
    row,
    column,
    terms.channel,
    layer === "output" ? sources : "",
    narrow.matches,
  ].join();
  if (key !== marked.key) {
    marked.key = key;
    placeMarks(selection, terms.channel, sources);
  }
  const largest = sums.reduce((best, sum) => Math.max(best, Math.abs(sum)), 1e-6);
  marked.lines.forEach((line, i) => {
    const sum = sums[sources[i]];
    line.setAttribute("class", sum < 0 ? "line negative" : "line");
    line.setAttribute("opacity", ((0.75 * Math.abs(sum)) / largest).toFixed(2));
  });
}

function placeMarks({layer, map, row, column}, channel, sources) {
  for (const node of marked.nodes.splice(0)) node.classList.remove("selected", "source");
  for (const {box} of Object.values(stages)) box.remove();
  const {size, below, kind} = LAYERS[layer];
  const stage = stages[layer];
  const outline = (node, name) => {
    node.classList.add(name);
    marked.nodes.push(node);
  };
  const place = (box, node, y, x, height, width, rows, columns) => {
    box.style.cssText =
      `left:${(100 * x) / columns}%;top:${(100 * y) / rows}%;` +
      `width:${(100 * width) / columns}%;height:${(100 * height) / rows}%`;
    node.append(box);
  };
  const {columns} = stages.dense;
  const placeUnit = (box, unit) =>
    place(
      box,
      stages.dense.nodes[0],
      Math.floor(unit / columns),
      unit % columns,
      1,
      1,
      256 / columns,
      columns,
    );

  if (layer === "dense") {
    placeUnit(stage.box, map);
  } else {
    outline(stage.nodes[map], "selected");
    if (layer !== "output") place(stage.box, stage.nodes[map], row, column, 1, 1, size, size);
  }
  if (layer === "output") {
    placeUnit(stages.dense.box, sources[0]);
  } else if (below) {
    const side = LAYERS[below].size;
    const count = kind === "pooling" ? 2 : kind === "dense" ? side : KERNEL;
    const step = kind === "pooling" ? 2 : 1;
    // the input's channels are one picture
    const node = stages[below].nodes[below === "input" ? 0 : channel];
    outline(node, "source");
    place(stages[below].box, node, step * row, step * column, count, count, side, side);
  }
  drawWedges(layer, map, below, sources);
}

function drawWedges(layer, map, below, sources) {
  marked.lines = [];
  if (!below || narrow.matches) {
    byId("wedges").replaceChildren();
    return;
  }
  const origin = byId("machine").getBoundingClientRect();
  const boxOf = (node) => {
    const box = node.getBoundingClientRect();
    return {
      left: box.left - origin.left,
      right: box.right - origin.left,
      top: box.top - origin.top,
      bottom: box.bottom - origin.top,
      middle: (box.top + box.bottom) / 2 - origin.top,
    };
  };
  const shape = (tag, properties) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(properties)) node.setAttribute(name, value);
    return node;
  };
  const target = boxOf(layer === "output" ? stages.output.nodes[map] : stages[layer].box);
  const units = boxOf(stages.dense.nodes[0]);
  const {columns} = stages.dense;
  const cell = (units.right - units.left) / columns;
  marked.lines = sources.map((index) => {
    const from =
      layer === "output"
        ? {
            right: units.left + ((index % columns) + 1) * cell,
            middle: units.top + (Math.floor(index / columns) + 0.5) * cell,
          }
        : boxOf(stages[below].nodes[index]);
    const bend = (from.right + target.left) / 2;
    return shape("path", {
      d:
        `M${from.right} ${from.middle}C${bend} ${from.middle} ` +
        `${bend} ${target.middle} ${target.left} ${target.middle}`,
    });
  });
  const wedge = [];
  if (layer !== "output") {
    const from = boxOf(stages[below].box);
    wedge.push(
      shape("polygon", {
        class: "wedge",
        points:
          `${from.right},${from.top} ${target.left},${target.top} ` +
          `${target.left},${target.bottom} ${from.right},${from.bottom}`,
      }),
    );
  }
  byId("wedges").replaceChildren(...marked.lines, ...wedge);
}

/* To be called when the page is laid out anew. */
export function forgetPlaces() {
  marked.key = "";
}
