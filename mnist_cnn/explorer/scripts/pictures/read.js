/* Picture files of digits, read as pictures/reading.py reads them: the same answer by both roads. */

import {splitDigits, thickenStrokes} from "./digits.js";
import {extractInk} from "./ink.js";
import {preprocess} from "./preprocess.js";
import {average, plane, transpose} from "./planes.js";
import {eachStrip} from "./strips.js";

const WORK_SIZE = 560; // pixels of the longer side that are enough to find a digit

/* The brightness of a picture file, a plane of numbers from 0 to 1, with its longer side at most
   560 pixels: each of them the mean of what it covers. */
export async function readPicture(blob) {
  const bitmap = await createImageBitmap(blob, {colorSpaceConversion: "none"});
  const {width, height} = bitmap;
  const scale = Math.min(1, WORK_SIZE / Math.max(width, height));
  const columns = Math.max(1, Math.floor(scale * width + 0.5));
  const rows = Math.max(1, Math.floor(scale * height + 0.5));
  const light = new Float64Array(height * columns);
  const cover = new Float64Array(height * columns);
  await eachStrip(bitmap, 1, null, (data, start) => {
    const strip = brightness(data);
    light.set(average(strip.light, width, columns), start * columns);
    cover.set(average(strip.cover, width, columns), start * columns);
  });
  bitmap.close();
  const down = (values) => {
    const turned = transpose(plane(values, columns, height)).values;
    return transpose(plane(average(turned, height, rows), rows, columns)).values;
  };
  const [bright, opaque] = [down(light), down(cover)];
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  // ink drawn on nothing: light ink wants a dark ground, dark ink a light one
  const ground = sum(bright) > 0.5 * sum(opaque) ? 0 : 1;
  const grey = Float32Array.from(bright, (value, i) => value + ground * (1 - opaque[i]));
  return plane(Float64Array.from(grey), columns, rows);
}

/* Brightness times opacity, and opacity, of RGBA bytes. */
function brightness(data) {
  const light = new Float64Array(data.length / 4);
  const cover = new Float64Array(data.length / 4);
  for (let i = 0; i < light.length; i++) {
    const alpha = data[4 * i + 3] / 255;
    const grey = (0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]) / 255;
    light[i] = grey * alpha;
    cover[i] = alpha;
  }
  return {light, cover};
}

/* The digits that a picture file shows: {digits, doubt}, a list of the input's bytes and why all of
   them are unsure, or "". Throws an Error that says why there is none. */
export async function readDigits(blob) {
  const {ink, doubt} = extractInk(await readPicture(blob));
  const digits = splitDigits(ink).map((part) => {
    const {values, width} = thickenStrokes(part.ink);
    return preprocess(values, width).pixels;
  });
  return {digits, doubt};
}

/* What else there is to say of a file: that it is of a kind that browsers do not read, or moves. */
export async function lookAt(blob) {
  const bytes = new Uint8Array(await blob.slice(0, 4096).arrayBuffer());
  const text = String.fromCharCode(...bytes);
  return {
    isHeic: text.slice(4, 8) === "ftyp" && !text.slice(8, 32).includes("avif"),
    moves: ["NETSCAPE2.0", "ANIM", "acTL"].some((mark) => text.includes(mark)),
  };
}
