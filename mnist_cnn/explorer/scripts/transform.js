/* A digit shifted, turned, made thicker, and sprinkled with noise: 784 bytes to 784 bytes. */

import {SIDE} from "./preprocess.js";

/* What can be done to a digit: its range, the slider's step, and the unit to name it by. */
export const CHANGES = {
  right: {name: "Shift right", least: -8, most: 8, step: 0.1, unit: " pixels"},
  down: {name: "Shift down", least: -8, most: 8, step: 0.1, unit: " pixels"},
  turn: {name: "Turn", least: -180, most: 180, step: 1, unit: "°"},
  thicken: {name: "Thicken", least: -2, most: 3, step: 0.1, unit: " pixels"},
  noise: {name: "Noise", least: 0, most: 1, step: 0.01, unit: ""},
};

export const UNCHANGED = {right: 0, down: 0, turn: 0, thicken: 0, noise: 0};

export const isUnchanged = (change) => Object.values(change).every((value) => value === 0);

const at = (pixels, row, column) =>
  row >= 0 && row < SIDE && column >= 0 && column < SIDE ? pixels[row * SIDE + column] : 0;

/* One pixel more ink all round for each whole step, less for a step below zero; parts of a step
   are mixed. */
function thicken(pixels, steps) {
  const pick = steps > 0 ? Math.max : Math.min;
  for (let left = Math.abs(steps); left > 0; left--) {
    const part = Math.min(1, left);
    pixels = Float32Array.from(pixels, (value, i) => {
      const row = Math.floor(i / SIDE);
      const column = i % SIDE;
      const extreme = pick(
        value,
        at(pixels, row - 1, column),
        at(pixels, row + 1, column),
        at(pixels, row, column - 1),
        at(pixels, row, column + 1)
      );
      return value + part * (extreme - value);
    });
  }
  return pixels;
}

/* Turned about the middle, then moved; between pixels, the mean of the four around. */
function move(pixels, degrees, right, down) {
  const angle = (degrees * Math.PI) / 180;
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const middle = SIDE / 2; // where MNIST has the centre of mass
  return Float32Array.from(pixels, (_, i) => {
    const y = Math.floor(i / SIDE) - middle - down;
    const x = (i % SIDE) - middle - right;
    const row = -sine * x + cosine * y + middle;
    const column = cosine * x + sine * y + middle;
    const [top, left] = [Math.floor(row), Math.floor(column)];
    const [a, b] = [row - top, column - left];
    return (
      (1 - a) * ((1 - b) * at(pixels, top, left) + b * at(pixels, top, left + 1)) +
      a * ((1 - b) * at(pixels, top + 1, left) + b * at(pixels, top + 1, left + 1))
    );
  });
}

/* The same grains each time: numbers of about the normal distribution. */
const grains = (() => {
  let seed = 1;
  const next = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  return Float32Array.from({length: SIDE * SIDE}, () => next() + next() + next() + next() - 2);
})();

export function transform(pixels, {right, down, turn, thicken: steps, noise}) {
  let result = Float32Array.from(pixels);
  if (steps !== 0) result = thicken(result, steps);
  if (turn !== 0 || right !== 0 || down !== 0) result = move(result, turn, right, down);
  return Uint8Array.from(result, (value, i) =>
    Math.max(0, Math.min(255, Math.round(value + 255 * noise * grains[i])))
  );
}
