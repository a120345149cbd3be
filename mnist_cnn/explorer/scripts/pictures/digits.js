/* Ink parted into digits, and thin pens' strokes widened: pictures/digits.py, step by step. */

import {strokeWidth} from "./ink.js";
import {boxesOf, cut, label, plane} from "./planes.js";

const MAX_DIGITS = 20; // more shapes than that are no number, but a text, a chart or a pattern
const MIN_STROKE = 0.085; // of a digit's longer side

const heightOf = ({top, bottom}) => bottom - top;
const widthOf = ({left, right}) => right - left;
const rowsApart = (a, b) => Math.max(a.top, b.top) - Math.min(a.bottom, b.bottom);
const columnsApart = (a, b) => Math.max(a.left, b.left) - Math.min(a.right, b.right);

/* ink: a plane of bytes. Returns a list of {ink, box}, each with one digit's ink alone, line by
   line and from left to right; or throws an Error. */
export function splitDigits(image) {
  const {labels, shapes} = findShapes(image);
  return inReadingOrder(shapes).map((shape) => ({
    ink: plane(
      image.values.map((value, i) => (shape.numbers.includes(labels[i]) ? value : 0)),
      image.width,
      image.height,
    ),
    box: shape,
  }));
}

/* How many digits a drawing shows; of what is no number, Infinity. */
export function countDigits(image) {
  try {
    return findShapes(image).shapes.length;
  } catch {
    return Infinity;
  }
}

function findShapes(image) {
  const {labels, count} = label(image);
  if (count > 3 * MAX_DIGITS) throw tooMany(count);
  const boxes = boxesOf(labels, count, image.width).slice(1);
  const shapes = gather(join(boxes.map((box, i) => ({...box, numbers: [i + 1]}))));
  if (shapes.length > MAX_DIGITS) throw tooMany(shapes.length);
  return {labels, shapes};
}

const tooMany = (count) =>
  new Error(`it shows ${count} separate shapes; cut a single number out of it`);

const areStacked = (a, b) =>
  -columnsApart(a, b) >= 0.5 * Math.min(widthOf(a), widthOf(b)) &&
  rowsApart(a, b) < (1 / 3) * Math.max(heightOf(a), heightOf(b));

const union = (a, b) => ({
  top: Math.min(a.top, b.top),
  left: Math.min(a.left, b.left),
  bottom: Math.max(a.bottom, b.bottom),
  right: Math.max(a.right, b.right),
  numbers: [...a.numbers, ...b.numbers],
});

/* Shapes of which one lies close above the other made one, until none do any more. */
function join(shapes) {
  for (let i = 0; i < shapes.length; i++) {
    for (let j = i + 1; j < shapes.length; j++) {
      if (!areStacked(shapes[i], shapes[j])) continue;
      const rest = shapes.filter((_, k) => k !== i && k !== j);
      return join([...rest, union(shapes[i], shapes[j])]);
    }
  }
  return shapes;
}

/* Small shapes joined to their nearest neighbours, the smallest first; or dropped. */
function gather(shapes) {
  const rest = [...shapes];
  const tallest = Math.max(...shapes.map(heightOf));
  for (;;) {
    const least = Math.min(...rest.map(heightOf));
    if (least >= 0.5 * tallest) return rest;
    const [smallest] = rest.splice(
      rest.findIndex((shape) => heightOf(shape) === least),
      1,
    );
    const distances = rest.map(
      (other) =>
        Math.max(0, rowsApart(smallest, other)) + Math.max(0, columnsApart(smallest, other)),
    );
    const near = Math.min(...distances);
    if (near > 0.5 * tallest) continue;
    const nearest = distances.indexOf(near);
    rest[nearest] = union(rest[nearest], smallest);
  }
}

function inReadingOrder(shapes) {
  const lines = [];
  const byHeight = [...shapes].sort((a, b) => a.top + a.bottom - b.top - b.bottom);
  for (const shape of byHeight) {
    const line = lines.find((others) =>
      others.some(
        (other) => -rowsApart(shape, other) >= 0.5 * Math.min(heightOf(shape), heightOf(other)),
      ),
    );
    if (line) line.push(shape);
    else lines.push([shape]);
  }
  return lines.flatMap((line) => line.sort((a, b) => a.left + a.right - b.left - b.right));
}

/* A plane of bytes with strokes as wide as MNIST's have them, in proportion to the digit. */
export function thickenStrokes(image) {
  const [, box] = boxesOf(image.values.map(Math.sign), 1, image.width);
  const digit = cut(image, box);
  const longer = Math.max(digit.width, digit.height);
  const reach = Math.floor((MIN_STROKE * longer - strokeWidth(digit)) / 2 + 0.5);
  if (reach < 1) return digit;
  const {values, width, height} = cut(image, box, reach);
  const wide = new Uint8Array(values.length);
  const disc = [];
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      if (dx * dx + dy * dy <= reach * reach) disc.push(dy * width + dx);
    }
  }
  values.forEach((value, i) => {
    if (value === 0) return;
    for (const step of disc) wide[i + step] = Math.max(wide[i + step], value);
  });
  return plane(wide, width, height);
}
