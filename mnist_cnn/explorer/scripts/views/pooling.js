/* Pooling: the largest of four. */

import {number} from "../page/dom.js";
import {LAYERS} from "../network/layers.js";
import {state} from "../page/state.js";

export const poolingView = {
  build(inspector) {
    return [
      inspector.buildBelow(),
      inspector.buildMiddle(inspector.grids.build("input", "Values in the frame", 2)),
      inspector.buildHere(),
    ];
  },

  update(inspector, {layer, map, row, column}) {
    const {below, size} = LAYERS[layer];
    const {values} = state.network;
    const side = LAYERS[below].size;
    const four = [0, 1, side, side + 1].map(
      (i) => values[below][(map * side + 2 * row) * side + 2 * column + i],
    );
    const largest = Math.max(...four);
    inspector.paintBelow(map, 2 * row, 2 * column, 2);
    inspector.grids.fill("input", four, state.scale.values[below], 3);
    inspector.grids
      .get("input")
      .cells.forEach((cell, i) =>
        cell.classList.toggle("winner", four[i] === largest && largest > 0),
      );
    inspector.paintHere(`Map ${map}`);
    inspector.write(
      {name: "largest of four", value: `max(${four.map((v) => number(v, 3)).join(", ")})`},
      "=",
      {
        name: `pixel (${row}, ${column})`,
        result: true,
        value: number(values[layer][(map * size + row) * size + column], 3),
      },
    );
  },
};
