/* Which pixels count for an answer: the gradient of its score, laid over the picture. Of one
   channel it has a sign; of several it is the largest magnitude among them (Simonyan et al. 2014),
   since where a pixel should be redder and less green a sum would be nothing. */

import {byId} from "../page/dom.js";
import {PAD} from "./pad.js";
import {outlineOf} from "../pictures/outline.js";
import {Picture} from "../drawing/picture.js";
import {LAYERS, isInk} from "../network/layers.js";
import {stages} from "./stages.js";
import {state} from "../page/state.js";

let overlay = null;

export function buildSaliency() {
  overlay = new Picture(byId("pad-overlay"), LAYERS.input.size);
  if (!isInk()) {
    const line = byId("salient").parentNode;
    line.replaceChildren("Orange counts, for or against ", byId("salient"));
  }
}

/* The class whose score it is: the one that is kept selected, else the answer. */
function salientClass() {
  const {output} = state.network.values;
  return state.kept.layer === "output" ? state.kept.map : output.indexOf(Math.max(...output));
}

function overChannels(gradient) {
  const {maps, size} = LAYERS.input;
  if (maps === 1) return gradient;
  return Float32Array.from({length: size * size}, (_, i) => {
    let largest = 0;
    for (let channel = 0; channel < maps; channel++) {
      largest = Math.max(largest, Math.abs(gradient[channel * size * size + i]));
    }
    return largest;
  });
}

export function paintSaliency(pad) {
  const shown = state.showSaliency && !pad.isEmpty;
  document.body.classList.toggle("with-saliency", shown);
  const overlays = [overlay, stages.input.overlay];
  if (!shown) {
    for (const picture of overlays) picture.clear();
    return;
  }
  const digit = salientClass();
  const gradient = overChannels(state.network.gradient("output", digit));
  byId("salient").textContent = state.names[digit];
  const largest = gradient.reduce((best, value) => Math.max(best, Math.abs(value)), 1e-6);
  for (const picture of overlays) picture.paintSigned(gradient, 0, largest, state.palette.overlay);
  for (const path of document.querySelectorAll(".outline path")) {
    path.setAttribute("d", isInk() ? outlineOf(state.input.pixels) : "");
  }
  // the input's pixels laid where on the pad they came from
  const {scaleX, scaleY, shiftX, shiftY} = state.input;
  const {size: side} = LAYERS.input;
  const share = (units) => `${(100 * units) / PAD}%`;
  for (const id of ["pad-overlay", "pad-outline"]) {
    Object.assign(byId(id).style, {
      left: share(-shiftX / scaleX),
      top: share(-shiftY / scaleY),
      width: share(side / scaleX),
      height: share(side / scaleY),
    });
  }
}
