/* What Python put into the page: the weights, and digits to pick from. */

import {byId} from "./dom.js";

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

export function readWeights() {
  return new Float32Array(bytesOf(byId("weights").textContent).buffer);
}

/* An array of {pixels: 784 bytes, index, label, answer, confidence, mistake}. */
export function readDigits() {
  return JSON.parse(byId("digits").textContent)
    .map((digit) => ({...digit, pixels: bytesOf(digit.image)}));
}
