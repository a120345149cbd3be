/* A picture of anything but handwriting, brought to the size of the network's input: load_photo of
   pictures/photos.py, step by step. In colour the largest square is cut out of the middle; in grey a
   picture with a light margin is negated, and filled up with its margin to a square. */

import {LAYERS, isColour} from "../network/layers.js";
import {eachStrip} from "./strips.js";

const ENOUGH = 8; // pixels for one of the input's: of twice as many and more, squares are made one

/* Bytes of the input, channel after channel. */
export async function readPhoto(blob) {
  const {maps} = LAYERS.input;
  if (maps !== 1 && maps !== 3) {
    throw new Error(`the model's images have ${maps} channels, a picture has 1 or 3`);
  }
  const bitmap = await createImageBitmap(blob, {colorSpaceConversion: "none"});
  const {planes, width, height} = await reduced(bitmap);
  bitmap.close();
  return isColour() ? crop(planes, width, height) : pad(greyOf(planes), width, height);
}

/* Red, green and blue as bytes; of a large picture the means of squares, as Pillow's reduce. What is
   transparent lies on white paper. */
async function reduced(bitmap) {
  const most = Math.max(bitmap.width, bitmap.height);
  const side = Math.max(1, Math.floor(most / (2 * ENOUGH * LAYERS.input.size)));
  const width = Math.ceil(bitmap.width / side);
  const height = Math.ceil(bitmap.height / side);
  const planes = Array.from({length: 3}, () => new Uint8Array(width * height));
  await eachStrip(bitmap, side, "white", (data, start, rows) => {
    const [top, small] = [start / side, Math.ceil(rows / side)];
    planes.forEach((plane, channel) => {
      const sums = new Float64Array(small * width);
      for (let row = 0; row < rows; row++) {
        const line = Math.floor(row / side) * width;
        for (let column = 0; column < bitmap.width; column++) {
          const value = data[4 * (row * bitmap.width + column) + channel];
          sums[line + Math.floor(column / side)] += value;
        }
      }
      sums.forEach((sum, i) => {
        const high = Math.min(side, rows - Math.floor(i / width) * side);
        const wide = Math.min(side, bitmap.width - (i % width) * side);
        plane[top * width + i] = Math.floor(sum / (high * wide) + 0.5);
      });
    });
  });
  return {planes, width, height};
}

function crop(planes, width, height) {
  const {size} = LAYERS.input;
  const side = Math.min(width, height);
  const across = weightsOf(width, (width - side) / 2, side, size);
  const down = weightsOf(height, (height - side) / 2, side, size);
  const pixels = new Uint8Array(3 * size * size);
  planes.forEach((plane, i) => pixels.set(resize(plane, width, across, down), i * size * size));
  return pixels;
}

/* As Pillow has it: in 65,536ths, rounded. */
const greyOf = ([red, green, blue]) =>
  red.map((_, i) => (19595 * red[i] + 38470 * green[i] + 7471 * blue[i] + 0x8000) >> 16);

function pad(grey, width, height) {
  const {size} = LAYERS.input;
  let margin = marginOf(grey, width, height);
  if (margin > 127) {
    grey = grey.map((value) => 255 - value);
    margin = 255 - margin;
  }
  const scale = Math.min(size / width, size / height);
  const columns = Math.max(1, Math.round(scale * width));
  const rows = Math.max(1, Math.round(scale * height));
  const across = weightsOf(width, 0, width, columns);
  const down = weightsOf(height, 0, height, rows);
  const small = resize(grey, width, across, down);
  const left = Math.floor((size - columns) / 2);
  const top = Math.floor((size - rows) / 2);
  const pixels = new Uint8Array(size * size).fill(margin);
  for (let row = 0; row < rows; row++) {
    pixels.set(small.subarray(row * columns, (row + 1) * columns), (top + row) * size + left);
  }
  return pixels;
}

/* The median of the outermost pixels, corners twice. */
function marginOf(grey, width, height) {
  const edge = [];
  for (let column = 0; column < width; column++) {
    edge.push(grey[column], grey[(height - 1) * width + column]);
  }
  for (let row = 0; row < height; row++) {
    edge.push(grey[row * width], grey[(row + 1) * width - 1]);
  }
  edge.sort((a, b) => a - b);
  return Math.floor((edge[edge.length / 2 - 1] + edge[edge.length / 2]) / 2);
}

/* Keys' cubic of a = -1/2, which Pillow calls bicubic. */
function cubic(x) {
  const t = Math.abs(x);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

/* How `count` pixels are made of a part of a line of `length`: for each, where its samples start
   and their weights. Where the line gets shorter, the cubic is as much wider. */
function weightsOf(length, from, part, count) {
  const scale = part / count;
  const stretch = Math.max(1, scale);
  return Array.from({length: count}, (_, i) => {
    const centre = from + (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - 2 * stretch + 0.5));
    const end = Math.min(length, Math.trunc(centre + 2 * stretch + 0.5));
    const weights = Array.from({length: end - start}, (_, j) =>
      cubic((start + j - centre + 0.5) / stretch),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return {start, weights: weights.map((weight) => weight / sum)};
  });
}

/* First along the rows, then along the columns, and bytes in between, as Pillow does. */
function resize(plane, width, across, down) {
  const height = plane.length / width;
  const narrow = new Uint8ClampedArray(height * across.length);
  for (let row = 0; row < height; row++) {
    across.forEach(({start, weights}, column) => {
      let sum = 0;
      for (let j = 0; j < weights.length; j++) sum += weights[j] * plane[row * width + start + j];
      narrow[row * across.length + column] = Math.floor(sum + 0.5);
    });
  }
  const small = new Uint8ClampedArray(down.length * across.length);
  down.forEach(({start, weights}, row) => {
    for (let column = 0; column < across.length; column++) {
      let sum = 0;
      for (let j = 0; j < weights.length; j++) {
        sum += weights[j] * narrow[(start + j) * across.length + column];
      }
      small[row * across.length + column] = Math.floor(sum + 0.5);
    }
  });
  return small;
}
