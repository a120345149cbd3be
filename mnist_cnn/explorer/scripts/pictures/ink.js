/* The ink of a picture, be it dark on light or light on dark, apart from paper, light and all else
   in the frame: extract_ink of pictures/ink.py, step by step. */

import {
  boxesOf,
  cut,
  extreme,
  label,
  mean,
  medians,
  plane,
  quantile,
  shrink,
  transpose,
} from "./planes.js";

const MIN_CONTRAST = 0.1;
const FAINT = 0.4; // of full ink, what a pattern on the paper may have at most
const STRAIGHT = 0.7; // of a side, from which on a thin straight line is the paper's
const THIN = 0.02; // of the shorter side, what such a line is wide at most
const SLOPES = Array.from({length: 41}, (_, i) => (i - 20) / 200);
const MAX_LINES = 60;
const SMALL = 48; // pixels a side that tell light on dark
const EDGE_LENGTH = Math.PI / 4; // of a pixel's edge in an outline, at all angles alike
const MAX_STROKE = 0.3; // of a shape's longer side

const sum = (values) => values.reduce((total, value) => total + value, 0);
const largest = (values) => values.reduce((best, value) => Math.max(best, value), -Infinity);

/* grey: a plane of numbers in [0, 1]. Returns {ink, doubt}: a plane of bytes, 255 for full ink,
   and why it may not be all of a digit; or throws an Error that says why there is none. */
export function extractInk(grey) {
  const {width, height} = grey;
  const darkness = darknessOf(isLightOnDark(grey) ? negative(grey) : grey).values;
  const middle = quantile(darkness, 0.5);
  const spread = quantile(
    darkness.map((value) => Math.abs(value - middle)),
    0.5,
  );
  const above = darkness.map((value) => Math.max(0, value - middle));
  const noise = Math.max(5 * spread, 0.02);
  const threshold = Math.max(otsu(above), noise);
  const strong = above.filter((value) => value > threshold);
  if (!strong.length || quantile(strong, 0.5) < Math.max(MIN_CONTRAST, noise)) throw nothing();
  const full = quantile(strong, 0.9);
  if (full <= noise) throw nothing();
  const ink = above.map((value) => Math.max(0, Math.min(1, (value - noise) / (full - noise))));
  if (ink.filter((value) => value > 0.5).length > 0.5 * ink.length) {
    throw new Error("it is no single digit on an even background");
  }
  return keepDigits(plane(ink, width, height));
}

const nothing = () => new Error("no digit stands out from an even background");

const negative = ({values, width, height}) =>
  plane(
    values.map((value) => 1 - value),
    width,
    height,
  );

const windowOf = (width, height) =>
  Math.max(3, Math.floor(Math.floor(Math.min(width, height) / 3) / 2) * 2 + 1);

function isLightOnDark(grey) {
  const small = shrink(grey, Math.min(SMALL, grey.width), Math.min(SMALL, grey.height));
  const around = medians(small, windowOf(small.width, small.height)).values;
  return sum(small.values.map((value, i) => (value - around[i]) ** 3)) > 0;
}

/* By how much of the paper's brightness each pixel is darker than the paper there. */
function darknessOf(grey) {
  const {values, width, height} = grey;
  const side = windowOf(width, height);
  const reach = Math.floor(side / 2);
  const smooth = mean(grey, 3).values;
  const wide = new Float64Array((width + 2 * reach) * (height + 2 * reach)).fill(-Infinity);
  for (let y = 0; y < height; y++) {
    const row = smooth.subarray(y * width, (y + 1) * width);
    wide.set(row, (y + reach) * (width + 2 * reach) + reach);
  }
  const raised = extreme(plane(wide, width + 2 * reach, height + 2 * reach), side);
  const box = {top: reach, left: reach, bottom: reach + height, right: reach + width};
  const paper = cut(extreme(raised, side, -1), box).values;
  const least = 0.4 * quantile(paper, 0.9);
  return plane(
    Float64Array.from(values, (value, i) =>
      Math.max(0, (paper[i] - value) / Math.max(paper[i], least, 0.05)),
    ),
    width,
    height,
  );
}

/* The threshold that parts values into the two groups of least variance within. */
function otsu(values) {
  const least = values.reduce((a, b) => Math.min(a, b));
  const step = (values.reduce((a, b) => Math.max(a, b)) - least) / 256 || 1;
  const counts = new Float64Array(256);
  for (const value of values) counts[Math.min(255, Math.floor((value - least) / step))]++;
  const centre = (bin) => least + (bin + 0.5) * step;
  const total = counts.reduce((all, count, bin) => all + count * centre(bin), 0);
  let below = 0,
    mass = 0,
    best = -1,
    threshold = 0;
  for (let bin = 0; bin < 255; bin++) {
    below += counts[bin];
    mass += counts[bin] * centre(bin);
    const above = values.length - below;
    if (below === 0 || above === 0) continue;
    const between = below * above * (mass / below - (total - mass) / above) ** 2;
    if (between > best) [best, threshold] = [between, least + (bin + 1) * step];
  }
  return threshold;
}

/* What of the ink is a digit's: no pattern of the paper, no frame, no specks. */
function keepDigits(image) {
  const {width, height} = image;
  const reach = Math.ceil(Math.max(width, height) / 28); // a pixel of a digit that fills the picture
  const solid = image.values.map((value) => (value > 0.5 ? 1 : 0));
  const near = extreme(plane(solid, width, height), 2 * reach + 1).values;
  const far = sum(image.values.map((value, i) => (near[i] ? 0 : value)));
  if (far > 0.05 * sum(image.values.map((value, i) => (solid[i] ? value : 0)))) {
    const values = image.values.map((value) => Math.max(0, (value - FAINT) / (1 - FAINT)));
    image = plane(values, width, height);
  }
  image = transpose(withoutLines(transpose(withoutLines(image))));

  const {values: ink} = image;
  const {labels, count} = label(image);
  const numbers = Array.from({length: count + 1}, (_, i) => i);
  const mass = new Float64Array(count + 1);
  const peak = new Float64Array(count + 1);
  ink.forEach((value, i) => {
    mass[labels[i]] += value;
    peak[labels[i]] = Math.max(peak[labels[i]], value);
  });
  for (const i of numbers) if (i === 0 || peak[i] < 0.5) mass[i] = 0;
  const heaviest = largest(mass);
  if (heaviest === 0) throw nothing();
  for (const i of numbers) if (mass[i] < heaviest / 100) mass[i] = 0;

  const touching = new Float64Array(count + 1);
  for (let x = 0; x < width; x++) {
    touching[labels[x]]++;
    touching[labels[(height - 1) * width + x]]++;
  }
  for (let y = 1; y < height - 1; y++) {
    touching[labels[y * width]]++;
    touching[labels[(y + 1) * width - 1]]++;
  }
  const boxes = boxesOf(labels, count, width);
  const shapes = numbers.map((i) => {
    if (mass[i] === 0) return {stroke: Infinity, longer: 0};
    const own = plane(
      ink.map((value, j) => (labels[j] === i ? value : 0)),
      width,
      height,
    );
    const shape = cut(own, boxes[i]);
    return {stroke: strokeWidth(shape), longer: Math.max(shape.width, shape.height)};
  });
  const isNarrow = ({stroke, longer}) => stroke <= MAX_STROKE * longer;
  const pens = numbers.filter((i) => isNarrow(shapes[i]) && mass[i] >= heaviest / 20);
  const pen = Math.min(...pens.map((i) => shapes[i].stroke)); // all digits by one
  const isStroke = numbers.map(
    (i) => pens.length > 0 && isNarrow(shapes[i]) && shapes[i].stroke <= 3 * pen,
  );
  let whole = mass.map((value, i) => (touching[i] ? 0 : value));
  let doubt = "";
  if (whole.some((value, i) => value > 0 && isStroke[i])) {
    whole = whole.map((value, i) => (isStroke[i] ? value : 0));
    if (3 * largest(whole) < largest(mass.map((value, i) => (isStroke[i] ? value : 0)))) {
      doubt = "most of the ink runs out of the picture";
    }
  } else if (whole.some((value) => value > 0)) {
    doubt = "it has no strokes";
  } else if (numbers.every((i) => mass[i] === 0 || touching[i] <= 0.2 * Math.min(width, height))) {
    whole = mass;
    doubt = "the ink touches the picture's edge; leave a margin around it";
  } else {
    throw new Error(
      "what stands out runs out of the picture: there is no digit with a margin around it",
    );
  }
  const least = largest(whole) / 20;
  const kept = Uint8Array.from(ink, (value, i) =>
    whole[labels[i]] >= least ? Math.floor(255 * value + 0.5) : 0,
  );
  return {ink: plane(kept, width, height), doubt};
}

/* The width of a shape's strokes, in pixels: twice its area for each pixel of outline. */
export function strokeWidth(shape) {
  const box = {top: 0, left: 0, bottom: shape.height, right: shape.width};
  const {values, width} = mean(cut(shape, box, 2), 3); // grain would count as outline
  const limit = 0.5 * largest(values);
  let area = 0,
    edges = 0;
  for (let i = 0; i < values.length; i++) {
    const isSolid = values[i] > limit;
    area += isSolid;
    if (i % width) edges += isSolid !== values[i - 1] > limit;
    if (i >= width) edges += isSolid !== values[i - width] > limit;
  }
  return (2 * area) / (EDGE_LENGTH * edges);
}

/* Remove thin straight lines that run across the picture, by and large along its rows. */
function withoutLines({values, width, height}) {
  const ink = values.slice();
  const found = new Set();
  const counts = new Int32Array(height);
  for (;;) {
    let best = {length: 0};
    const places = [];
    for (let i = 0; i < ink.length; i++) if (ink[i] > 0) places.push(i);
    SLOPES.forEach((slope, s) => {
      counts.fill(0);
      for (const i of places) {
        const x = i % width;
        const at = Math.floor((i - x) / width - slope * (x - width / 2) + 0.5);
        if (at >= 0 && at < height) counts[at]++;
      }
      let row = 0;
      for (let y = 1; y < height; y++) if (counts[y] > counts[row]) row = y;
      if (counts[row] > best.length && !found.has(`${s} ${row}`)) {
        best = {length: counts[row], slope, row, key: `${s} ${row}`};
      }
    });
    if (best.length < STRAIGHT * width || found.size === MAX_LINES) {
      return plane(ink, width, height);
    }
    found.add(best.key);
    eraseLine(ink, width, height, best);
  }
}

/* A line's pixels go where it is as thin as it mostly is; where a stroke crosses it, they stay. */
function eraseLine(ink, width, height, {slope, row}) {
  const runs = [];
  for (let x = 0; x < width; x++) {
    const middle = Math.floor(row + slope * (x - width / 2) + 0.5);
    const y = [middle, middle - 1, middle + 1].find(
      (at) => at >= 0 && at < height && ink[at * width + x] > 0,
    );
    if (y === undefined) continue;
    let top = y,
      bottom = y + 1;
    while (top > 0 && ink[(top - 1) * width + x] > 0) top--;
    while (bottom < height && ink[bottom * width + x] > 0) bottom++;
    runs.push({x, top, bottom});
  }
  if (!runs.length) return;
  const thickness = quantile(
    runs.map(({top, bottom}) => bottom - top),
    0.5,
  );
  if (thickness > Math.max(1, THIN * Math.min(width, height))) return;
  for (const {x, top, bottom} of runs) {
    if (bottom - top > 1.5 * thickness + 1) continue;
    for (let y = top; y < bottom; y++) ink[y * width + x] = 0;
  }
}
