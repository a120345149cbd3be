/* The tab "Where it lives": the picture among the test pictures, by the features before the last
   layer. Two principal components make the plane; a new point is laid into it by the same two. */

import {readColours} from "../drawing/colours.js";
import {byId, element, number} from "../page/dom.js";
import {LAYERS} from "../network/layers.js";
import {Picture} from "../drawing/picture.js";
import {aClass, scaled, schedule, state} from "../page/state.js";
import {isShown} from "../page/tabs.js";
import {featuresOf} from "../network/unsure.js";

const [WIDTH, HEIGHT, EDGE] = [520, 360, 14];
const AT_ONCE = 25; // training pictures that are looked at in a frame
const NEAREST = 5;

let plane, training, twin, canvas, mark, distance, thumbs, dots;
let known = [];
let version = -1; // of the network that the training pictures were shown to
let isPainted = false;

/* plane: {mean, components, points}; training: [{pixels, label, index}]; pick(digit). */
export function buildWhere(content, pick) {
  ({plane, training} = content);
  twin = state.network.twin();
  dots = layOut(plane.points);
  canvas = element("canvas", {width: 2 * WIDTH, height: 2 * HEIGHT});
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Test ${state.noun}s by two principal components`);
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    const y = ((event.clientY - box.top) / box.height) * HEIGHT;
    const far = dots.map((dot) => Math.hypot(dot.x - x, dot.y - y));
    pick(state.digitOf(far.indexOf(Math.min(...far))));
  });
  mark = element("i", {className: "where-mark"});
  distance = element("p", {className: "where-distance"});
  thumbs = Array.from({length: NEAREST}, () => {
    const small = element("canvas");
    const label = element("span");
    const node = element("button", {type: "button", className: "thumb"}, small, label);
    const thumb = {node, label, picture: new Picture(small, LAYERS.input.size), digit: null};
    node.addEventListener("click", () =>
      pick({pixels: thumb.digit.pixels, name: "a training one"}),
    );
    return thumb;
  });
  byId("panel-where").append(
    element(
      "div",
      {className: "where"},
      element("div", {className: "where-plane"}, canvas, mark),
      element(
        "div",
        {className: "where-side"},
        distance,
        element(
          "figure",
          {},
          element("figcaption", {}, `The nearest of ${training.length} training ${state.noun}s`),
          element("div", {className: "thumbs"}, ...thumbs.map(({node}) => node)),
        ),
        element(
          "p",
          {className: "about"},
          `Each dot is a test ${state.noun}: its ${plane.mean.length} features around the dense ` +
            "layer, seen from the direction in which they differ most (two principal components). " +
            "The ring is what is on the pad, laid in by the same two. Two directions are not all: " +
            "what lies near here may lie far in the others. Distances are one minus the cosine " +
            "of all features, as for \u201cunsure\u201d. A click shows a dot's picture.",
        ),
      ),
    ),
  );
}

/* Where a test picture's dot is. */
export const placeOf = (index) => dots[index];

/* Points of the plane to pixels of the picture. */
function layOut(points) {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [bottom, top] = [Math.min(...ys), Math.max(...ys)];
  plane.toPicture = ([x, y]) => ({
    x: EDGE + ((x - left) / (right - left)) * (WIDTH - 2 * EDGE),
    y: HEIGHT - EDGE - ((y - bottom) / (top - bottom)) * (HEIGHT - 2 * EDGE),
  });
  return points.map(plane.toPicture);
}

/* Where features lie in the plane. */
function project(values) {
  return plane.components.map((component) =>
    component.reduce((sum, weight, i) => sum + weight * (values[i] - plane.mean[i]), 0),
  );
}

const hueOf = (label) => `hsl(${(360 * label) / state.names.length} 65% 50%)`;

function paintDots() {
  const rgb = (names) => readColours(names).map((colour) => `rgb(${colour.join(" ")})`);
  const [paper, text] = rgb(["card", "text"]);
  const {length} = state.names;
  const colours = length === 10 ? rgb(state.names.map((_, i) => `class-${i}`)) : null;
  const context = canvas.getContext("2d");
  context.setTransform(2, 0, 0, 2, 0, 0);
  context.clearRect(0, 0, WIDTH, HEIGHT);
  const middles = state.names.map(() => ({x: 0, y: 0, count: 0}));
  dots.forEach(({x, y}, i) => {
    const {label} = state.digitOf(i);
    context.fillStyle = colours ? colours[label] : hueOf(label);
    context.fillRect(x - 1.3, y - 1.3, 2.6, 2.6);
    middles[label].x += x;
    middles[label].y += y;
    middles[label].count++;
  });
  context.font = "700 15px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineWidth = 4;
  middles.forEach(({x, y, count}, label) => {
    if (!count) return;
    context.strokeStyle = paper;
    context.fillStyle = text;
    context.strokeText(state.names[label], x / count, y / count);
    context.fillText(state.names[label], x / count, y / count);
  });
}

/* The features of the training pictures, a few in a frame. */
function learnSome() {
  for (let i = 0; i < AT_ONCE && known.length < training.length; i++) {
    twin.forward(scaled(training[known.length].pixels));
    known.push(featuresOf(twin));
  }
}

/* The colours have changed. */
export function recolourWhere() {
  isPainted = false;
}

export function paintWhere() {
  if (!isShown("where")) return;
  const {network, trust} = state;
  if (!isPainted) paintDots();
  isPainted = true;
  if (version !== state.edits.version) known = [];
  version = state.edits.version;
  const own = featuresOf(network);
  const {x, y} = plane.toPicture(project(own));
  mark.style.left = `${(100 * Math.max(0, Math.min(WIDTH, x))) / WIDTH}%`;
  mark.style.top = `${(100 * Math.max(0, Math.min(HEIGHT, y))) / HEIGHT}%`;
  const {output} = network.values;
  const answer = output.indexOf(Math.max(...output));
  distance.textContent =
    `${number(trust.distance(network, answer), 3)} from the nearest centre of known pictures of ` +
    `${state.names[answer]}; unsure from ${number(trust.maxDistance, 3)} on.`;
  if (known.length < training.length) {
    learnSome();
    schedule();
  }
  const far = known.map((features) => 1 - cosine(features, own));
  const order = [...far.keys()].sort((a, b) => far[a] - far[b]);
  thumbs.forEach((thumb, i) => {
    thumb.digit = training[order[i]];
    thumb.picture.paintInput(thumb.digit.pixels, state.palette.ink);
    thumb.label.textContent = `${state.names[thumb.digit.label]}, ${number(far[order[i]], 3)}`;
    thumb.node.setAttribute(
      "aria-label",
      `Training picture ${thumb.digit.index}: ${aClass(thumb.digit.label)}, at ${number(far[order[i]], 3)}`,
    );
  });
}

function cosine(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
