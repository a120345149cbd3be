/* The answer: the units' parts in a score, and softmax. */

import {element, number, percent} from "./dom.js";
import {largest} from "./grids.js";
import {Picture} from "./picture.js";
import {stepOf} from "./motion.js";
import {state} from "./state.js";

/* Steps of softmax: a power for each digit, their sum, a probability for each digit. */
const SUM_STEP = 10;
const FIRST_PROBABILITY = SUM_STEP + 1;
const LAST_STEP = FIRST_PROBABILITY + 9;

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
          strongest
        )
      ),
      buildTable(
        "list softmax",
        "Softmax: scores made into probabilities",
        ["class", "score", "e^score", "probability"],
        softmax
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
    if (step !== null && step < LAST_STEP) {
      writeSoftmaxStep(inspector, step);
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
      {name: `class ${state.names[map]}`, value: percent(network.values.output[map]), result: true}
    );
  },
};

function buildTable(className, caption, names, body) {
  const head = element(
    "tr",
    {},
    ...names.map((textContent) => element("th", {textContent, scope: "col"}))
  );
  return element(
    "table",
    {className},
    element("caption", {textContent: caption}),
    element("thead", {}, head),
    body
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
        number(output.weights[unit * 10 + digit]),
        number(sums[unit]),
      ]);
      row.lastChild.className = sums[unit] < 0 ? "less" : "more";
      return row;
    })
  );
}

/* step, while it fills cell by cell: ten powers, their sum, ten probabilities. */
function fillSoftmax(chosen, step) {
  const {raw, values} = state.network;
  const shown = (cell) => step === null || cell <= step;
  const rows = Array.from(raw.output, (score, digit) => {
    const row = rowOf([
      state.names[digit],
      number(score),
      shown(digit) ? powerText(score) : "",
      shown(digit + FIRST_PROBABILITY) ? percent(values.output[digit]) : "",
    ]);
    row.classList.toggle("chosen", digit === chosen);
    if (step === digit) row.children[2].className = "now";
    if (step === digit + FIRST_PROBABILITY) row.children[3].className = "now";
    return row;
  });
  const sum = raw.output.reduce((total, score) => total + Math.exp(score), 0);
  const last = rowOf(["", "sum", shown(SUM_STEP) ? powerText(Math.log(sum)) : "", ""]);
  last.className = "total";
  if (step === SUM_STEP) last.children[2].className = "now";
  softmax.replaceChildren(...rows, last);
}

function powerText(score) {
  const power = Math.exp(score);
  return power >= 1e5 || power < 0.01 ? power.toExponential(1) : number(power);
}

function writeSoftmaxStep(inspector, step) {
  const scores = state.network.raw.output;
  const sum = scores.reduce((total, score) => total + Math.exp(score), 0);
  if (step < SUM_STEP) {
    inspector.write(
      {name: `${state.names[step]}: score`, value: number(scores[step], 3)},
      "e to the power of it =",
      {name: "always above 0", value: powerText(scores[step]), result: true}
    );
  } else if (step === SUM_STEP) {
    inspector.write({
      name: "all ten powers added up",
      value: powerText(Math.log(sum)),
      result: true,
    });
  } else {
    const digit = step - FIRST_PROBABILITY;
    inspector.write(
      {name: `${state.names[digit]}: power`, value: powerText(scores[digit])},
      "÷",
      {name: "sum", value: powerText(Math.log(sum))},
      "=",
      {name: "probability", value: percent(state.network.values.output[digit]), result: true}
    );
  }
}
