/* Which ink speaks for an answer: the gradient of its score, laid over the drawing. */

import {byId} from "./dom.js";
import {PAD} from "./pad.js";
import {outlineOf} from "./outline.js";
import {Picture} from "./picture.js";
import {SIDE} from "./preprocess.js";
import {stages} from "./stages.js";
import {state} from "./state.js";

let overlay = null;

export function buildSaliency() {
  overlay = new Picture(byId("pad-overlay"), SIDE);
}

/* The digit whose score it is: the one that is kept selected, else the answer. */
function salientDigit() {
  const {output} = state.network.values;
  return state.kept.layer === "output" ? state.kept.map : output.indexOf(Math.max(...output));
}

export function paintSaliency(pad) {
  const shown = state.showSaliency && !pad.isEmpty;
  document.body.classList.toggle("with-saliency", shown);
  const overlays = [overlay, stages.input.overlay];
  if (!shown) {
    for (const picture of overlays) picture.clear();
    return;
  }
  const digit = salientDigit();
  const gradient = state.network.gradient("output", digit);
  byId("salient").textContent = state.names[digit];
  const largest = gradient.reduce((best, value) => Math.max(best, Math.abs(value)), 1e-6);
  for (const picture of overlays) picture.paintSigned(gradient, 0, largest, state.palette.overlay);
  for (const path of document.querySelectorAll(".outline path")) {
    path.setAttribute("d", outlineOf(state.input.pixels));
  }
  // the 28 x 28 pixels laid where on the pad they came from
  const {scaleX, scaleY, shiftX, shiftY} = state.input;
  const share = (units) => `${(100 * units) / PAD}%`;
  for (const id of ["pad-overlay", "pad-outline"]) {
    Object.assign(byId(id).style, {
      left: share(-shiftX / scaleX),
      top: share(-shiftY / scaleY),
      width: share(SIDE / scaleX),
      height: share(SIDE / scaleY),
    });
  }
}
