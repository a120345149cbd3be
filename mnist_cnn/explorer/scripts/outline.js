/* The outline of a drawing: the edges between pixels of ink and of paper, as an SVG path. */

import {SIDE} from "./preprocess.js";

const INKED = 96;

export function outlineOf(pixels) {
  const inked = (row, column) =>
    row >= 0 && row < SIDE && column >= 0 && column < SIDE && pixels[row * SIDE + column] >= INKED;
  const parts = [];
  for (let row = 0; row <= SIDE; row++) {
    for (let column = 0; column <= SIDE; column++) {
      if (inked(row, column) !== inked(row - 1, column)) parts.push(`M${column} ${row}h1`);
      if (inked(row, column) !== inked(row, column - 1)) parts.push(`M${column} ${row}v1`);
    }
  }
  return parts.join("");
}
