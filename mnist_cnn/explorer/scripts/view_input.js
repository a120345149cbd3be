/* The input: a pixel's byte, and where the ink lies. */

import {element, number} from "./dom.js";
import {SIDE} from "./preprocess.js";
import {state} from "./state.js";

const AROUND = 7; // bytes shown around a pixel, to a side

let extent, centre;

export const inputView = {
  build(inspector) {
    extent = element("i", {className: "extent"});
    centre = element("i", {className: "centre", textContent: "+"});
    const here = inspector.buildHere();
    here.lastChild.append(extent, centre);
    return [here, inspector.buildMiddle(inspector.grids.build("input", "Bytes around it", AROUND))];
  },

  update(inspector, {row, column}) {
    const bytes = state.network.values.input.map((value) => Math.round(256 * value));
    inspector.paintHere("28 × 28 pixels, and where the ink lies");
    const around = Array.from({length: AROUND * AROUND}, (_, i) => {
      const y = row + Math.floor(i / AROUND) - 3;
      const x = column + (i % AROUND) - 3;
      return y >= 0 && y < SIDE && x >= 0 && x < SIDE ? bytes[y * SIDE + x] : NaN;
    });
    inspector.grids.fill("input", around, 255, 0);
    const {cells, table} = inspector.grids.get("input");
    table.classList.add("inked", "bytes");
    cells[24].classList.add("winner");
    placeInk(bytes);
    const byte = bytes[row * SIDE + column];
    inspector.write({name: "byte", value: String(byte)}, "÷", {name: "levels", value: "256"}, "=", {
      name: `pixel (${row}, ${column})`,
      value: number(byte / 256, 3),
      result: true,
    });
  },
};

/* The frame round all ink, and a cross at its centre of mass. */
function placeInk(bytes) {
  let mass = 0,
    massX = 0,
    massY = 0;
  let top = SIDE,
    bottom = -1,
    left = SIDE,
    right = -1;
  bytes.forEach((byte, i) => {
    if (byte === 0) return;
    const x = i % SIDE;
    const y = Math.floor(i / SIDE);
    [mass, massX, massY] = [mass + byte, massX + byte * x, massY + byte * y];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
  });
  extent.hidden = centre.hidden = mass === 0;
  const share = (value) => `${(100 * value) / SIDE}%`;
  Object.assign(extent.style, {
    left: share(left),
    top: share(top),
    width: share(right - left + 1),
    height: share(bottom - top + 1),
  });
  Object.assign(centre.style, {left: share(massX / mass + 0.5), top: share(massY / mass + 0.5)});
}
