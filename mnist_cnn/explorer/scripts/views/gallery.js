/* Test digits to pick from. */

import {byId, element, percent} from "../page/dom.js";
import {roveFocus} from "../page/focus.js";
import {LAYERS} from "../network/layers.js";
import {Picture} from "../drawing/picture.js";
import {aClass, state} from "../page/state.js";

let thumbs = [];

function describe({index, label, answer, confidence, mistake}) {
  return (
    `Test picture ${index}: ${aClass(label)}` +
    (mistake ? `, which the network took for ${aClass(answer)} with ${percent(confidence)}` : "")
  );
}

/* digits: {index, label, pixels, answer, confidence, mistake}. */
export function buildGallery(digits, pick) {
  thumbs = digits.map((digit) => {
    const canvas = element("canvas");
    const node = element("button", {type: "button", className: "thumb"}, canvas);
    if (digit.mistake) {
      const {label, answer} = digit;
      node.append(element("span", {}, `${state.names[label]} \u2192 ${state.names[answer]}`));
    }
    node.title = describe(digit);
    node.setAttribute("aria-label", describe(digit));
    node.addEventListener("click", () => pick(digit));
    return {digit, node, picture: new Picture(canvas, LAYERS.input.size)};
  });
  for (const [title, mistake] of [
    [`Real test ${state.noun}s`, false],
    ["Its worst mistakes", true],
  ]) {
    const nodes = thumbs.filter(({digit}) => digit.mistake === mistake).map(({node}) => node);
    if (nodes.length === 0) continue;
    const row = element("div", {className: "thumbs"}, ...nodes);
    byId("gallery").append(
      element("div", {className: "shelf"}, element("h2", {textContent: title}), row),
    );
    roveFocus(row, nodes);
  }
}

export function recolourGallery(palette) {
  for (const {digit, picture} of thumbs) picture.paintInput(digit.pixels, palette.ink);
}

/* picked: the digit that lies on the pad as it is, or null. */
export function markPicked(picked) {
  for (const {digit, node} of thumbs) {
    node.setAttribute("aria-pressed", Boolean(picked) && digit.index === picked.index);
  }
}
