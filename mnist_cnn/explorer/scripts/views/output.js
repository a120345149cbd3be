/* The answer: the units' parts in a score, and softmax. */

import {element, number, percent} from "../page/dom.js";
import {largest} from "../drawing/grids.js";
import {LAYERS} from "../network/layers.js";
import {Picture} from "../drawing/picture.js";
import {softmaxRows, stepOf, stepsOf} from "./motion.js";
import {state} from "../page/state.js";

/* Steps of softmax: a power for each row, their sum, a probability for each row. */
const sumStep = () => softmaxRows();
const firstProbability = () => sumStep() + 1;

let units, strongest, softmax;

export const outputView = {
  build(inspector) {
    const canvas = element("canvas");
    units = new Picture(canvas, 32, 8);
    strongest = element("tbody");
    softmax = element("tbody");
    return [
      inspector.buildMiddle(
        inspector.figure("units", "Part of each of the 256 units", canvas),
        buildTable(
          "list",
          "The six that count most",
          ["unit", "value", "× weight", "= part"],
          strongest,
        ),
      ),
      buildTable(
        "list softmax",
        "Softmax: scores made into probabilities",
        ["class", "score", "e^score", "probability"],
        softmax,
      ),
    ];
  },

  update(inspector, {layer, map}) {
    const {network, palette} = state;
    const {sums, bias, raw} = network.terms(layer, map, 0, 0, 0);
    units.paintSigned(sums, 0, largest(sums), palette.signed);
    fillStrongest(sums, map);
    const step = stepOf({layer, map});
    fillSoftmax(map, step);
    if (step !== null && step < stepsOf(layer) - 1) {
      writeSoftmaxStep(inspector, map, step);
      return;
    }
    const sum = sums.reduce((total, value) => total + value, 0);
    inspector.write(
      {name: "256 parts", value: number(sum, 3)},
      "+",
      {name: "bias", value: number(bias, 3)},
      "=",
      {name: "score", value: number(raw, 3)},
      "→ softmax →",
      {name: `class ${state.names[map]}`, value: percent(network.values.output[map]), result: true},
    );
  },
};

function buildTable(className, caption, names, body) {
  const head = element(
    "tr",
    {},
    ...names.map((textContent) => element("th", {textContent, scope: "col"})),
  );
  return element(
    "table",
    {className},
    element("caption", {textContent: caption}),
    element("thead", {}, head),
    body,
  );
}

const rowOf = (cells) =>
  element("tr", {}, ...cells.map((textContent) => element("td", {textContent})));

function fillStrongest(sums, digit) {
  const {values, output} = state.network;
  const order = [...sums.keys()].sort((a, b) => Math.abs(sums[b]) - Math.abs(sums[a]));
  strongest.replaceChildren(
    ...order.slice(0, 6).map((unit) => {
      const row = rowOf([
        String(unit),
        number(values.dense[unit]),
        number(output.weights[unit * LAYERS.output.maps + digit]),
        number(sums[unit]),
      ]);
      row.lastChild.className = sums[unit] < 0 ? "less" : "more";
      return row;
    }),
  );
}

/* What stands in the table, a row each: a class, or, of many classes, the likeliest and the one that
   is chosen, and the others together. */
function tableRows(chosen) {
  const {raw, values} = state.network;
  const count = softmaxRows();
  const all = Array.from(raw.output, (score, i) => ({
    classes: [i],
    name: state.names[i],
    score: number(score),
    power: Math.exp(score),
    probability: values.output[i],
  }));
  if (count === all.length) return all;
  const order = [...all.keys()].sort((a, b) => values.output[b] - values.output[a]);
  const shown = new Set([chosen, ...order].slice(0, count));
  while (shown.size > count - 1) shown.delete([...shown].pop());
  const others = all.filter((_, i) => !shown.has(i));
  const total = (name) => others.reduce((sum, row) => sum + row[name], 0);
  return [
    ...all.filter((_, i) => shown.has(i)),
    {
      classes: [],
      name: `${others.length} others`,
      score: "",
      power: total("power"),
      probability: total("probability"),
    },
  ];
}

const powerSum = () => state.network.raw.output.reduce((sum, score) => sum + Math.exp(score), 0);

/* step, while it fills cell by cell: the powers, their sum, the probabilities. */
function fillSoftmax(chosen, step) {
  const shown = (cell) => step === null || cell <= step;
  const rows = tableRows(chosen).map(({classes, name, score, power, probability}, i) => {
    const row = rowOf([
      name,
      score,
      shown(i) ? powerText(power) : "",
      shown(i + firstProbability()) ? percent(probability) : "",
    ]);
    row.classList.toggle("chosen", classes.includes(chosen));
    if (step === i) row.children[2].className = "now";
    if (step === i + firstProbability()) row.children[3].className = "now";
    return row;
  });
  const last = rowOf(["", "sum", shown(sumStep()) ? powerText(powerSum()) : "", ""]);
  last.className = "total";
  if (step === sumStep()) last.children[2].className = "now";
  softmax.replaceChildren(...rows, last);
}

function powerText(power) {
  return power >= 1e5 || power < 0.01 ? power.toExponential(1) : number(power);
}

function writeSoftmaxStep(inspector, chosen, step) {
  const rows = tableRows(chosen);
  if (step < sumStep()) {
    const {name, score, power} = rows[step];
    inspector.write(
      ...(score === ""
        ? []
        : [{name: `${name}: score`, value: number(Math.log(power), 3)}, "e to the power of it ="]),
      {name: score === "" ? name : "always above 0", value: powerText(power), result: true},
    );
  } else if (step === sumStep()) {
    const count = {10: "ten"}[LAYERS.output.maps] || LAYERS.output.maps;
    inspector.write({
      name: `all ${count} powers added up`,
      value: powerText(powerSum()),
      result: true,
    });
  } else {
    const {name, power, probability} = rows[step - firstProbability()];
    inspector.write(
      {name: `${name}: power`, value: powerText(power)},
      "÷",
      {name: "sum", value: powerText(powerSum())},
      "=",
      {name: "probability", value: percent(probability), result: true},
    );
  }
}
