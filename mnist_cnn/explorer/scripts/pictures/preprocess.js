/* A drawing made into 28 x 28 pixels as the pictures of MNIST were made (LeCun et al. 1998); into
   another size with the same proportions.

   The ink's bounding box is scaled to fit a box of 20 x 20 pixels, with its proportions kept and
   grey levels where a pixel is partly covered; the brightest pixel becomes 255; then the picture
   is shifted by whole pixels until its centre of mass is in the middle of 28 x 28. In MNIST's own
   files that middle is pixel (14, 14), counted from 0: all 10,000 test digits have their centre
   within half a pixel of it. fit_to_field in pictures/digits.py does the same, step by step. */

import {LAYERS} from "../network/layers.js";
import {cut, plane, shrink} from "./planes.js";

/* ink: bytes, row after row, `width` to a row; 0 is paper, 255 is ink.

   Returns null where there is no ink, else the pixels (bytes) and how a point of the drawing
   moved: x to x * scaleX + shiftX, y likewise. */
export function preprocess(ink, width) {
  const height = ink.length / width;
  let top = height,
    bottom = -1,
    left = width,
    right = -1;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (ink[i] === 0) continue;
      if (y < top) top = y;
      if (y > bottom) bottom = y;
      if (x < left) left = x;
      if (x > right) right = x;
    }
  }
  if (bottom < 0) return null;

  const {size: side} = LAYERS.input;
  const box = Math.round((side * 20) / 28);
  const boxWidth = right - left + 1;
  const boxHeight = bottom - top + 1;
  const longest = Math.max(boxWidth, boxHeight);
  const columns = Math.max(1, Math.round((box * boxWidth) / longest));
  const rows = Math.max(1, Math.round((box * boxHeight) / longest));

  const digit = cut(plane(ink, width, height), {top, left, bottom: bottom + 1, right: right + 1});
  const {values: grey} = shrink(digit, columns, rows);
  const peak = grey.reduce((best, value) => Math.max(best, value), 0);
  const small = grey.map((value) => Math.round((255 * value) / peak));

  let mass = 0,
    massX = 0,
    massY = 0;
  for (let y = 0, i = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++, i++) {
      mass += small[i];
      massX += small[i] * x;
      massY += small[i] * y;
    }
  }
  const fit = (shift, length) => Math.max(0, Math.min(side - length, shift));
  const shiftX = fit(Math.round(side / 2 - massX / mass), columns);
  const shiftY = fit(Math.round(side / 2 - massY / mass), rows);

  const pixels = new Uint8Array(side * side);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      pixels[(shiftY + y) * side + shiftX + x] = small[y * columns + x];
    }
  }
  const scaleX = columns / boxWidth;
  const scaleY = rows / boxHeight;
  return {
    pixels,
    scaleX,
    scaleY,
    shiftX: shiftX - left * scaleX,
    shiftY: shiftY - top * scaleY,
  };
}
