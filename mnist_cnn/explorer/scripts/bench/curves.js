/* The picture shifted, turned, made thicker, sprinkled with noise; its probabilities as curves. */

import {byId, element, number, onInput, percent} from "../page/dom.js";
import {Picture} from "../drawing/picture.js";
import {LAYERS} from "../network/layers.js";
import {refresh, scaled, schedule, state} from "../page/state.js";
import {isShown} from "../page/tabs.js";
import {UNCHANGED, availableChanges, isUnchanged, transform} from "./transform.js";

const POINTS = 49;
const WIDTH = 600;
const HEIGHT = 170;
const LEFT = 62; // room for the axis
const AT_ONCE = 12; // points measured in one frame

export const change = {...UNCHANGED};

let chosen = "turn";
let original = null; // the pixels before the change
let CHANGES;
let picture, chart, marker, lines, labels, sliders, twin;
let table = []; // probabilities, (POINTS, classes), as far as they are measured
let measuredFor = "",
  measuredPixels = null,
  measuredVersion = 0;

const svg = (tag, properties = {}) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) node.setAttribute(name, value);
  return node;
};

/* What the network is shown of the pixels: changed as the sliders say. */
export function applyChange(pixels) {
  original = pixels;
  return isUnchanged(change) ? pixels : transform(pixels, change);
}

export function resetChange() {
  Object.assign(change, UNCHANGED);
  refresh();
}

export function buildCurves() {
  twin = state.network.twin();
  const canvas = element("canvas", {tabIndex: 0});
  canvas.setAttribute("role", "application");
  canvas.setAttribute(
    "aria-label",
    `The ${state.noun} as the network sees it: drag it, or shift it with the arrow keys`,
  );
  picture = new Picture(canvas, LAYERS.input.size);
  wireDrag(canvas);
  sliders = Object.fromEntries(
    Object.entries((CHANGES = availableChanges())).map(
      ([name, {name: title, least, most, step}]) => {
        const radio = element("input", {
          type: "radio",
          name: "change",
          value: name,
          checked: name === chosen,
        });
        radio.setAttribute("aria-label", `Curves for: ${title.toLowerCase()}`);
        const slider = element("input", {type: "range", min: least, max: most, step, value: 0});
        slider.setAttribute("aria-label", title);
        const output = element("output");
        const choose = () => {
          chosen = name;
          radio.checked = true;
        };
        onInput(radio, () => {
          choose();
          schedule();
        });
        onInput(slider, () => {
          choose();
          change[name] = Number(slider.value);
          refresh();
        });
        return [
          name,
          {
            slider,
            output,
            row: element(
              "div",
              {className: "change"},
              element("label", {className: "choice"}, radio, title),
              slider,
              output,
            ),
          },
        ];
      },
    ),
  );
  const reset = element("button", {type: "button", className: "plain", textContent: "As it was"});
  reset.addEventListener("click", resetChange);
  buildChart();
  byId("panel-curves").append(
    element(
      "div",
      {className: "curves"},
      element(
        "figure",
        {className: "dragged"},
        element("figcaption", {}, "What the network sees: drag it"),
        canvas,
      ),
      element("div", {className: "changes"}, ...Object.values(sliders).map(({row}) => row), reset),
      chart,
    ),
  );
}

function buildChart() {
  const box = svg("svg", {
    viewBox: `${-LEFT} -14 ${WIDTH + LEFT + 24} ${HEIGHT + 40}`,
    role: "img",
    "aria-label": "Probability of each class along the chosen change",
  });
  for (const share of [0, 0.5, 1]) {
    const y = HEIGHT * (1 - share);
    box.append(svg("line", {class: "grid-line", x1: 0, x2: WIDTH, y1: y, y2: y}));
    const text = svg("text", {x: -6, y: y + 4, "text-anchor": "end"});
    text.textContent = `${100 * share} %`;
    box.append(text);
  }
  labels = ["start", "middle", "end"].map((anchor, i) => {
    const text = svg("text", {x: (WIDTH * i) / 2, y: HEIGHT + 17, "text-anchor": anchor});
    box.append(text);
    return text;
  });
  marker = svg("line", {class: "marker", y1: -6, y2: HEIGHT});
  lines = Array.from({length: LAYERS.output.maps}, (_, digit) => {
    const line = svg("path", {class: "curve", style: `stroke: var(--class-${digit % 10})`});
    const name = svg("text", {class: "curve-name", style: `fill: var(--class-${digit % 10})`});
    name.textContent = state.names[digit];
    box.append(line, name);
    return {line, name};
  });
  box.append(marker);
  chart = element("div", {className: "chart"}, box);
  // pointing at the chart moves the slider: the curves are the answer to it
  const point = (event) => {
    if (event.type !== "pointerdown" && !(event.buttons & 1)) return;
    const {left, width} = box.getBoundingClientRect();
    const share = (((event.clientX - left) / width) * (WIDTH + LEFT + 24) - LEFT) / WIDTH;
    const {least, most} = CHANGES[chosen];
    change[chosen] = least + Math.max(0, Math.min(1, share)) * (most - least);
    refresh();
  };
  box.addEventListener("pointerdown", point);
  box.addEventListener("pointermove", point);
}

function wireDrag(canvas) {
  let from = null;
  const within = (name, value) =>
    (change[name] = Math.max(CHANGES[name].least, Math.min(CHANGES[name].most, value)));
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    from = {x: event.clientX, y: event.clientY, right: change.right, down: change.down};
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    const pixel = canvas.getBoundingClientRect().width / LAYERS.input.size;
    within("right", from.right + (event.clientX - from.x) / pixel);
    within("down", from.down + (event.clientY - from.y) / pixel);
    if (chosen !== "down") chosen = "right";
    refresh();
  });
  for (const type of ["pointerup", "pointercancel"])
    canvas.addEventListener(type, () => (from = null));
  canvas.addEventListener("keydown", (event) => {
    const moves = {
      ArrowLeft: ["right", -1],
      ArrowRight: ["right", 1],
      ArrowUp: ["down", -1],
      ArrowDown: ["down", 1],
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const [name, by] = moves[event.key];
    chosen = name;
    within(name, change[name] + by);
    refresh();
  });
}

/* Measure the next few points along the chosen change; the other changes stay as they are. */
function measure() {
  const {least, most} = CHANGES[chosen];
  for (let i = 0; i < AT_ONCE && table.length < POINTS; i++) {
    const value = least + (table.length * (most - least)) / (POINTS - 1);
    table.push(Array.from(twin.forward(scaled(transform(original, {...change, [chosen]: value})))));
  }
}

export function paintCurves(inputChanged) {
  if (!isShown("curves")) return;
  picture.paintInput(state.input.pixels, state.palette.ink);
  const {least, most, unit} = CHANGES[chosen];
  for (const [name, {slider, output, row}] of Object.entries(sliders)) {
    if (Number(slider.value) !== change[name]) slider.value = change[name];
    output.textContent = number(change[name], name === "turn" ? 0 : name === "noise" ? 2 : 1);
    row.classList.toggle("chosen", name === chosen);
    row.querySelector("[type=radio]").checked = name === chosen;
  }
  const x = (value) => (WIDTH * (value - least)) / (most - least);
  marker.setAttribute("x1", x(change[chosen]));
  marker.setAttribute("x2", x(change[chosen]));
  [least, (least + most) / 2, most].forEach(
    (value, i) => (labels[i].textContent = number(value, 1).replace(".0", "") + unit),
  );
  // the curves themselves change only with what is not drawn along them
  const key = [
    chosen,
    ...Object.entries(change).map(([name, value]) => (name === chosen ? "" : value)),
  ].join();
  const isNew =
    key !== measuredFor ||
    (inputChanged && original !== measuredPixels) ||
    state.edits.version !== measuredVersion;
  if (isNew) {
    [measuredFor, measuredPixels, measuredVersion] = [key, original, state.edits.version];
    table = [];
  }
  if (table.length === POINTS) return;
  measure();
  if (table.length < POINTS) schedule();
  const placed = []; // names' boxes: the highest stays at its curve, others make room
  const peaks = lines.map((_, digit) =>
    table.reduce((top, row, i) => (row[digit] > table[top][digit] ? i : top), 0),
  );
  const order = [...lines.keys()].sort((a, b) => table[peaks[b]][b] - table[peaks[a]][a]);
  for (const digit of order) {
    const {line, name} = lines[digit];
    line.setAttribute(
      "d",
      "M" +
        table
          .map(
            (row, i) =>
              `${((WIDTH * i) / (POINTS - 1)).toFixed(1)} ${(HEIGHT * (1 - row[digit])).toFixed(1)}`,
          )
          .join("L"),
    );
    const much = table[peaks[digit]][digit];
    line.classList.toggle("faint", much < 0.1);
    name.classList.toggle("faint", much < 0.1);
    if (much >= 0.1) placeName(name, digit, (WIDTH * peaks[digit]) / (POINTS - 1), much, placed);
  }
  chart.firstChild.setAttribute("aria-label", describe(table));
}

/* A curve's name beside its peak, within the chart, and below the names that stand there. */
function placeName(name, digit, x, much, placed) {
  const width = 8 * state.names[digit].length;
  const fits = x + 5 + width < WIDTH + 20;
  const left = fits ? Math.min(WIDTH - 4, x + 5) : x - 5 - width;
  let y = Math.max(10, HEIGHT * (1 - much) - 4);
  while (
    placed.some(
      (other) =>
        left < other.left + other.width && other.left < left + width && Math.abs(y - other.y) < 13,
    )
  )
    y += 13;
  placed.push({left, width, y});
  name.setAttribute("x", fits ? left : x - 5);
  name.setAttribute("text-anchor", fits ? "start" : "end");
  name.setAttribute("y", y);
}

function describe(table) {
  const runs = [];
  for (const row of table) {
    const best = row.indexOf(Math.max(...row));
    if (runs[runs.length - 1] !== best) runs.push(best);
  }
  const answers = runs.map((run) => state.names[run]).join(", then ");
  return (
    `Probabilities along "${CHANGES[chosen].name}": the answer goes ${answers}; ` +
    `now ${percent(Math.max(...state.network.values.output))}`
  );
}
