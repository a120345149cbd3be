/* The outline of a drawing: the edges between pixels of ink and of paper, as an SVG path. */

import {LAYERS} from "../network/layers.js";

const INKED = 96;

export function outlineOf(pixels) {
  const {size: side} = LAYERS.input;
  const inked = (row, column) =>
    row >= 0 && row < side && column >= 0 && column < side && pixels[row * side + column] >= INKED;
  const parts = [];
  for (let row = 0; row <= side; row++) {
    for (let column = 0; column <= side; column++) {
      if (inked(row, column) !== inked(row - 1, column)) parts.push(`M${column} ${row}h1`);
      if (inked(row, column) !== inked(row, column - 1)) parts.push(`M${column} ${row}v1`);
    }
  }
  return parts.join("");
}
