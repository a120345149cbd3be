/* The least ink to add or to erase that changes an answer: pixel by pixel along the gradient, as
   Papernot et al. (2016) change pixels, then as many of them undone, and as far, as can be. */

import {LAYERS} from "../network/layers.js";
import {scaled} from "../page/state.js";

const MOST_PIXELS = 60;
const NEIGHBOUR = 1.5; // how much more a pixel counts beside one that was changed: for a stroke

const best = (output) => output.indexOf(Math.max(...output));

/* network: a twin, whose values are overwritten; pixels: the input's bytes; target: a class; limit:
   pixels to change at most. Returns {pixels, added, erased}, the last two in pixels of full ink, or
   null where no change of so many pixels does it. */
export function leastChange(network, pixels, target, limit = MOST_PIXELS) {
  const answerTo = (bytes) => best(network.forward(scaled(bytes)));
  const changed = pixels.slice();
  const touched = [];
  const side = LAYERS.input.size;
  const isBeside = new Uint8Array(pixels.length);
  for (;;) {
    const answer = answerTo(changed);
    if (answer === target) break;
    if (touched.length >= limit) return null;
    const scores = new Float64Array(LAYERS.output.maps);
    scores[target] = 1;
    scores[answer] = -1;
    const slopes = network.gradientOf("output", scores);
    let chosen = -1,
      most = 0;
    for (let i = 0; i < changed.length; i++) {
      if (touched.includes(i)) continue;
      const room = slopes[i] > 0 ? 255 - changed[i] : changed[i];
      const gain = Math.abs(slopes[i]) * room * (isBeside[i] ? NEIGHBOUR : 1);
      if (gain > most) [most, chosen] = [gain, i];
    }
    if (chosen < 0) return null;
    changed[chosen] = slopes[chosen] > 0 ? 255 : 0;
    touched.push(chosen);
    for (const step of [-side - 1, -side, -side + 1, -1, 1, side - 1, side, side + 1]) {
      if (chosen + step >= 0 && chosen + step < isBeside.length) isBeside[chosen + step] = 1;
    }
  }
  for (const i of touched) {
    // back as far as the answer stays: halfway again and again
    let kept = changed[i],
      tried = pixels[i];
    while (kept !== tried) {
      changed[i] = tried;
      if (answerTo(changed) === target) kept = tried;
      tried = Math.trunc((kept + tried) / 2);
      if (tried === changed[i]) tried = kept;
    }
    changed[i] = kept;
  }
  let added = 0,
    erased = 0;
  changed.forEach((byte, i) => {
    if (byte > pixels[i]) added += (byte - pixels[i]) / 255;
    else erased += (pixels[i] - byte) / 255;
  });
  return {pixels: changed, added, erased};
}
