/* The ink of a picture, be it dark on light or light on dark: read_picture and extract_ink of
   support/pictures.py, step by step. */

import {averages} from "./preprocess.js";

const WORK_SIZE = 280; // pixels of the longer side that are enough to find a digit
const MOST_DRAWN = 2240; // larger pictures are made smaller by the browser first
const MIN_CONTRAST = 0.1;

const sorted = (values) => Float64Array.from(values).sort();

function quantile(values, share) {
  const order = sorted(values);
  const place = share * (order.length - 1);
  const low = Math.floor(place);
  const high = Math.min(order.length - 1, low + 1);
  return order[low] + (place - low) * (order[high] - order[low]);
}

const median = (values) => quantile(values, 0.5);

/* The brightness of a picture file, 0 to 1, with its longer side at most 280 pixels. */
export async function readPicture(blob) {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, MOST_DRAWN / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(scale * bitmap.width));
  const height = Math.max(1, Math.round(scale * bitmap.height));
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0, width, height);
  return reduce(greyOf(context.getImageData(0, 0, width, height).data), width, height);
}

function greyOf(data) {
  const grey = new Float64Array(data.length / 4);
  let mass = 0,
    opacity = 0;
  for (let i = 0; i < grey.length; i++) {
    const alpha = data[4 * i + 3] / 255;
    grey[i] = (0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]) / 255;
    mass += grey[i] * alpha;
    opacity += alpha;
  }
  // ink drawn on nothing: light ink wants a dark ground, dark ink a light one
  const ground = mass / Math.max(opacity, 1) > 0.5 ? 0 : 1;
  return grey.map((value, i) => {
    const alpha = data[4 * i + 3] / 255;
    return value * alpha + (alpha < 1 ? ground * (1 - alpha) : 0);
  });
}

function reduce(grey, width, height) {
  const scale = WORK_SIZE / Math.max(width, height);
  if (scale >= 1) return {grey, width, height};
  const columns = Math.max(1, Math.round(scale * width));
  const rows = Math.max(1, Math.round(scale * height));
  const across = averages(width, columns);
  const down = averages(height, rows);
  const narrow = new Float64Array(height * columns);
  for (let y = 0; y < height; y++) {
    across.forEach(({start, weights}, x) => {
      narrow[y * columns + x] = weights.reduce(
        (sum, weight, j) => sum + weight * grey[y * width + start + j],
        0
      );
    });
  }
  const small = new Float64Array(rows * columns);
  down.forEach(({start, weights}, y) => {
    for (let x = 0; x < columns; x++) {
      small[y * columns + x] = weights.reduce(
        (sum, weight, j) => sum + weight * narrow[(start + j) * columns + x],
        0
      );
    }
  });
  return {grey: small, width: columns, height: rows};
}

/* Returns bytes, 255 for full ink, or throws an Error that says why there is no digit. */
export function extractInk({grey, width, height}) {
  const margin = Math.max(1, Math.floor(Math.min(width, height) / 20));
  const isMargin = (i) => {
    const row = Math.floor(i / width);
    const column = i % width;
    return row < margin || row >= height - margin || column < margin || column >= width - margin;
  };
  const border = [...grey.keys()].filter(isMargin);
  const place = (i) => [1, axis(i % width, width), axis(Math.floor(i / width), height)];
  let kept = border;
  let difference, spread;
  for (let round = 0; round < 3; round++) {
    // again without strokes that reach the margin
    const plane = fitPlane(
      kept.map(place),
      kept.map((i) => grey[i])
    );
    difference = grey.map((value, i) => {
      const [one, x, y] = place(i);
      return value - plane[0] * one - plane[1] * x - plane[2] * y;
    });
    const middle = median(kept.map((i) => difference[i]));
    spread = median(kept.map((i) => Math.abs(difference[i] - middle)));
    kept = border.filter((i) => Math.abs(difference[i]) <= Math.max(4 * spread, 0.02));
    if (kept.length < 3) break;
  }
  const noise = Math.max(4 * spread, 0.02);
  const isLight = quantile(difference, 0.995) > -quantile(difference, 0.005);
  const ink = isLight ? difference : difference.map((value) => -value);
  const threshold = Math.max(otsu(ink), noise);
  const strong = ink.filter((value) => value > threshold);
  if (!strong.length || median(strong) < Math.max(MIN_CONTRAST, noise)) {
    throw new Error("no digit stands out from an even background");
  }
  const full = quantile(strong, 0.9);
  const shares = ink.map((value) =>
    full > noise ? Math.max(0, Math.min(1, (value - noise) / (full - noise))) : 0
  );
  const count = (indices) => indices.filter((i) => shares[i] > 0.5).length / indices.length;
  if (count([...shares.keys()]) > 0.5 || count(border) > 0.4) {
    throw new Error("it is no single digit on an even background");
  }
  return Uint8Array.from(withoutSpecks(shares, width), (value) => Math.round(255 * value));
}

const axis = (i, length) => (length > 1 ? (2 * i) / (length - 1) - 1 : -1);

/* Least squares: the plane through points [1, x, y] with given heights. */
function fitPlane(points, heights) {
  const matrix = [0, 1, 2].map((a) => [
    ...[0, 1, 2].map((b) => points.reduce((sum, point) => sum + point[a] * point[b], 0)),
    points.reduce((sum, point, i) => sum + point[a] * heights[i], 0),
  ]);
  for (let a = 0; a < 3; a++) {
    // elimination; a direction that nothing tells about stays 0
    if (Math.abs(matrix[a][a]) < 1e-9) continue;
    for (let b = 0; b < 3; b++) {
      if (b === a) continue;
      const factor = matrix[b][a] / matrix[a][a];
      matrix[b] = matrix[b].map((value, k) => value - factor * matrix[a][k]);
    }
  }
  return matrix.map((row, a) => (Math.abs(row[a]) < 1e-9 ? 0 : row[3] / row[a]));
}

/* The threshold that parts values into the two groups of least variance within. */
function otsu(values) {
  const least = values.reduce((a, b) => Math.min(a, b));
  const step = (values.reduce((a, b) => Math.max(a, b)) - least) / 256 || 1;
  const counts = new Float64Array(256);
  for (const value of values) counts[Math.min(255, Math.floor((value - least) / step))]++;
  const centre = (bin) => least + (bin + 0.5) * step;
  const total = counts.reduce((sum, count, bin) => sum + count * centre(bin), 0);
  let below = 0,
    sum = 0,
    best = -1,
    threshold = 0;
  for (let bin = 0; bin < 255; bin++) {
    below += counts[bin];
    sum += counts[bin] * centre(bin);
    const above = values.length - below;
    if (below === 0 || above === 0) continue;
    const between = below * above * (sum / below - (total - sum) / above) ** 2;
    if (between > best) [best, threshold] = [between, least + (bin + 1) * step];
  }
  return threshold;
}

/* Drop the parts with less than a twentieth of the largest one's ink. */
function withoutSpecks(ink, width) {
  const labels = new Int32Array(ink.length);
  const masses = [0];
  for (let start = 0; start < ink.length; start++) {
    if (ink[start] === 0 || labels[start]) continue;
    const label = masses.push(0) - 1;
    const stack = [start];
    labels[start] = label;
    while (stack.length) {
      const i = stack.pop();
      masses[label] += ink[i];
      for (let dy = -width; dy <= width; dy += width) {
        for (let dx = -1; dx <= 1; dx++) {
          const j = i + dy + dx;
          const beside = (i % width) + dx;
          if (beside < 0 || beside >= width || !(ink[j] > 0) || labels[j]) continue;
          labels[j] = label;
          stack.push(j);
        }
      }
    }
  }
  const least = Math.max(...masses) / 20;
  return ink.map((value, i) => (masses[labels[i]] >= least ? value : 0));
}
