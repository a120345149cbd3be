/* The input: a pixel's bytes, and, of one channel, where the ink lies. */

import {element, number} from "../page/dom.js";
import {LAYERS, isInk} from "../network/layers.js";
import {channelName, state} from "../page/state.js";

const AROUND = 7; // bytes shown around a pixel, to a side
const FEW = 5; // where there are several channels

let extent, centre;

export const inputView = {
  build(inspector) {
    extent = element("i", {className: "extent"});
    centre = element("i", {className: "centre", textContent: "+"});
    const here = inspector.buildHere();
    here.lastChild.append(extent, centre);
    if (isInk()) {
      return [
        here,
        inspector.buildMiddle(inspector.grids.build("input", "Bytes around it", AROUND)),
      ];
    }
    const grids = Array.from({length: Math.min(3, LAYERS.input.maps)}, (_, channel) =>
      inspector.grids.build(`channel${channel}`, `Bytes around it, ${channelName(channel)}`, FEW),
    );
    return [here, inspector.buildMiddle(...grids)];
  },

  update(inspector, {row, column}) {
    const bytes = state.network.values.input.map((value) => Math.round(256 * value));
    const {size} = LAYERS.input;
    if (!isInk()) {
      updateChannels(inspector, row, column, bytes);
      return;
    }
    inspector.paintHere(`${size} × ${size} pixels, and where the ink lies`);
    fillBytes(inspector, "input", bytes, row, column, AROUND);
    placeInk(bytes);
    const byte = bytes[row * size + column];
    inspector.write({name: "byte", value: String(byte)}, "÷", {name: "levels", value: "256"}, "=", {
      name: `pixel (${row}, ${column})`,
      value: number(byte / 256, 3),
      result: true,
    });
  },
};

/* The bytes of one channel around a pixel. */
function fillBytes(inspector, name, bytes, row, column, width) {
  const {size} = LAYERS.input;
  const half = (width - 1) / 2;
  const around = Array.from({length: width * width}, (_, i) => {
    const y = row + Math.floor(i / width) - half;
    const x = column + (i % width) - half;
    return y >= 0 && y < size && x >= 0 && x < size ? bytes[y * size + x] : NaN;
  });
  inspector.grids.fill(name, around, 255, 0);
  const {cells, table} = inspector.grids.get(name);
  table.classList.add("inked", "bytes");
  cells[(width * width - 1) / 2].classList.add("winner");
}

function updateChannels(inspector, row, column, bytes) {
  const {size, maps} = LAYERS.input;
  const area = size * size;
  inspector.paintHere(`${size} × ${size} pixels of ${maps} channels`);
  extent.hidden = centre.hidden = true;
  const terms = [];
  for (let channel = 0; channel < Math.min(3, maps); channel++) {
    const plane = bytes.subarray(channel * area, (channel + 1) * area);
    fillBytes(inspector, `channel${channel}`, plane, row, column, FEW);
    const byte = plane[row * size + column];
    terms.push({
      name: `${channelName(channel)}: ${byte} ÷ 256`,
      value: number(byte / 256, 3),
      result: true,
    });
  }
  inspector.write(...terms);
}

/* The frame round all ink, and a cross at its centre of mass. */
function placeInk(bytes) {
  const {size} = LAYERS.input;
  let mass = 0,
    massX = 0,
    massY = 0;
  let top = size,
    bottom = -1,
    left = size,
    right = -1;
  bytes.forEach((byte, i) => {
    if (byte === 0) return;
    const x = i % size;
    const y = Math.floor(i / size);
    [mass, massX, massY] = [mass + byte, massX + byte * x, massY + byte * y];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
  });
  extent.hidden = centre.hidden = mass === 0;
  const share = (value) => `${(100 * value) / size}%`;
  Object.assign(extent.style, {
    left: share(left),
    top: share(top),
    width: share(right - left + 1),
    height: share(bottom - top + 1),
  });
  Object.assign(centre.style, {left: share(massX / mass + 0.5), top: share(massY / mass + 0.5)});
}
