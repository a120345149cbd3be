/* The answer: a bar for each class, the verdict, and what a screen reader is told. */

import {byId, element, percent} from "../page/dom.js";
import {LAYERS} from "../network/layers.js";
import {aClass, select, selectionOf, state} from "../page/state.js";

const SPOKEN_AFTER = 150; // ms without a change: a hand that draws makes one every few

let bars = [];
let glance = [];
let timer = 0;

/* The bars of the stage; returns the nodes to point at. */
export function buildBars(container) {
  bars = Array.from({length: LAYERS.output.maps}, (_, digit) => {
    const bar = element("i", {className: "bar"});
    const text = element("span", {className: "percent"});
    const node = element(
      "button",
      {type: "button", className: "answer-bar"},
      element("b", {}, state.names[digit]),
      element("span", {className: "track"}, bar),
      text,
    );
    const selection = () => selectionOf("output", digit);
    node.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") select(selection(), false);
    });
    node.addEventListener("click", () => select(selection(), true));
    node.addEventListener("focus", () => {
      if (node.matches(":focus-visible")) select(selection(), true);
    });
    return {node, bar, text};
  });
  const nodes = bars.map(({node}) => node);
  container.append(...nodes);
  return nodes;
}

/* A small bar for each class under the pad, where the page is narrow. */
export function buildGlance() {
  glance = Array.from({length: LAYERS.output.maps}, (_, digit) => {
    const bar = element("i");
    const node = element("span", {}, element("em", {}, bar), state.names[digit]);
    byId("glance").append(node);
    return {node, bar};
  });
}

export function paintAnswer(pad) {
  const {output} = state.network.values;
  const best = output.indexOf(Math.max(...output));
  bars.forEach(({node, bar, text}, digit) => {
    bar.style.transform = `scaleX(${output[digit]})`;
    text.textContent = percent(output[digit]);
    node.classList.toggle("best", digit === best);
    node.setAttribute("aria-label", `${state.names[digit]}: ${percent(output[digit])}`);
  });
  glance.forEach(({node, bar}, digit) => {
    bar.style.transform = `scaleY(${output[digit]})`;
    node.classList.toggle("best", digit === best);
  });
  const {digit, strokes} = pad.state;
  document.body.classList.toggle("empty", pad.isEmpty);
  byId("verdict-digit").textContent = pad.isEmpty ? "?" : state.names[best];
  const doubt = pad.isEmpty ? "" : doubtOf(digit);
  let text = pad.isEmpty ? "nothing drawn" : percent(output[best]);
  if (digit && digit.label !== undefined && strokes.length === 0 && digit.label !== best) {
    text += `, but it is ${aClass(digit.label)}`;
  }
  byId("verdict-text").textContent = text;
  byId("unsure").hidden = !doubt;
  byId("doubt").textContent = doubt;
  document.body.classList.toggle("in-doubt", Boolean(doubt));
  if (doubt) text += `, but unsure: ${doubt}`;
  byId("glance").dataset.answer = pad.isEmpty ? "?" : state.names[best];
  say(pad.isEmpty ? "The pad is empty" : `The network sees ${aClass(best)}: ${text}`);
}

/* Why the answer deserves no trust: for what was put in, or for what the network makes of it. */
function doubtOf(digit) {
  const {count} = state.input;
  if (count > 1) return `it looks like ${count === Infinity ? "many" : count} digits; draw one`;
  return (digit && digit.doubt) || state.trust.doubt(state.network, state.names);
}

/* Tell a screen reader once the hand rests. */
function say(text) {
  clearTimeout(timer);
  timer = setTimeout(() => (byId("spoken").textContent = text), SPOKEN_AFTER);
}
