/* A colour picture from the disk, brought to the size of the network's input as load_photo of
   support/pictures.py does it: the square in its middle, averaged over equal parts. */

import {LAYERS} from "./layers.js";
import {averages} from "./preprocess.js";

const MOST_DRAWN = 2240; // larger pictures are made smaller by the browser first

/* Bytes of the input, channel after channel. */
export async function readPhoto(blob) {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, MOST_DRAWN / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(scale * bitmap.width));
  const height = Math.max(1, Math.round(scale * bitmap.height));
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // what is transparent lies on paper
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  const length = Math.min(width, height);
  const left = Math.floor((width - length) / 2);
  const top = Math.floor((height - length) / 2);
  return shrink(context.getImageData(left, top, length, length).data, length);
}

/* data: red, green, blue, alpha of each pixel of a square. */
function shrink(data, length) {
  const {size, maps} = LAYERS.input;
  const parts = averages(length, size);
  const pixels = new Uint8Array(maps * size * size);
  for (let channel = 0; channel < maps; channel++) {
    const at = (row, column) => data[4 * (row * length + column) + Math.min(channel, 2)];
    const narrow = Float64Array.from({length: length * size}, (_, i) => {
      const row = Math.floor(i / size);
      const {start, weights} = parts[i % size];
      return weights.reduce((sum, weight, j) => sum + weight * at(row, start + j), 0);
    });
    parts.forEach(({start, weights}, row) => {
      for (let column = 0; column < size; column++) {
        pixels[(channel * size + row) * size + column] = Math.round(
          weights.reduce((sum, weight, j) => sum + weight * narrow[(start + j) * size + column], 0)
        );
      }
    });
  }
  return pixels;
}
