/* A picture shifted, turned, made thicker, and sprinkled with noise: bytes to as many bytes. */

import {LAYERS, inputCount, isInk} from "../network/layers.js";
import {state} from "../page/state.js";

/* What can be done to a picture: its range, the slider's step, and the unit to name it by. */
export const CHANGES = {
  right: {name: "Shift right", least: -8, most: 8, step: 0.1, unit: " pixels"},
  down: {name: "Shift down", least: -8, most: 8, step: 0.1, unit: " pixels"},
  turn: {name: "Turn", least: -180, most: 180, step: 1, unit: "°"},
  thicken: {name: "Thicken", least: -2, most: 3, step: 0.1, unit: " pixels"},
  noise: {name: "Noise", least: 0, most: 1, step: 0.01, unit: ""},
};

/* Ink alone can be made thicker. */
export const availableChanges = () =>
  Object.fromEntries(Object.entries(CHANGES).filter(([name]) => isInk() || name !== "thicken"));

export const UNCHANGED = {right: 0, down: 0, turn: 0, thicken: 0, noise: 0};

export const isUnchanged = (change) => Object.values(change).every((value) => value === 0);

/* A pixel of one channel; outside of the picture is what a picture shows where nothing is. */
function at({pixels, nothing}, row, column) {
  const {size} = LAYERS.input;
  return row >= 0 && row < size && column >= 0 && column < size
    ? pixels[row * size + column]
    : nothing;
}

/* One pixel more ink all round for each whole step, less for a step below zero; parts of a step
   are mixed. */
function thicken(pixels, steps) {
  const {size} = LAYERS.input;
  const pick = steps > 0 ? Math.max : Math.min;
  for (let left = Math.abs(steps); left > 0; left--) {
    const part = Math.min(1, left);
    const plane = {pixels, nothing: 0};
    pixels = Float32Array.from(pixels, (value, i) => {
      const row = Math.floor(i / size);
      const column = i % size;
      const extreme = pick(
        value,
        at(plane, row - 1, column),
        at(plane, row + 1, column),
        at(plane, row, column - 1),
        at(plane, row, column + 1),
      );
      return value + part * (extreme - value);
    });
  }
  return pixels;
}

/* Turned about the middle, then moved; between pixels, the mean of the four around. */
function move(plane, degrees, right, down) {
  const {size} = LAYERS.input;
  const angle = (degrees * Math.PI) / 180;
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const middle = size / 2; // where MNIST has the centre of mass
  return Float32Array.from(plane.pixels, (_, i) => {
    const y = Math.floor(i / size) - middle - down;
    const x = (i % size) - middle - right;
    const row = -sine * x + cosine * y + middle;
    const column = cosine * x + sine * y + middle;
    const [top, left] = [Math.floor(row), Math.floor(column)];
    const [a, b] = [row - top, column - left];
    return (
      (1 - a) * ((1 - b) * at(plane, top, left) + b * at(plane, top, left + 1)) +
      a * ((1 - b) * at(plane, top + 1, left) + b * at(plane, top + 1, left + 1))
    );
  });
}

/* The same grains each time: numbers of about the normal distribution. */
let grains = new Float32Array(0);

function grainsOf(count) {
  if (grains.length === count) return grains;
  let seed = 1;
  const next = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  grains = Float32Array.from({length: count}, () => next() + next() + next() + next() - 2);
  return grains;
}

export function transform(pixels, {right, down, turn, thicken: steps, noise}) {
  const result = new Float32Array(inputCount());
  const {maps, size} = LAYERS.input;
  const area = size * size;
  for (let channel = 0; channel < maps; channel++) {
    let plane = Float32Array.from(pixels.subarray(channel * area, (channel + 1) * area));
    if (steps !== 0) plane = thicken(plane, steps);
    if (turn !== 0 || right !== 0 || down !== 0) {
      plane = move({pixels: plane, nothing: state.nothing[channel]}, turn, right, down);
    }
    result.set(plane, channel * area);
  }
  const speckle = grainsOf(result.length);
  return Uint8Array.from(result, (value, i) =>
    Math.max(0, Math.min(255, Math.round(value + 255 * noise * speckle[i]))),
  );
}
