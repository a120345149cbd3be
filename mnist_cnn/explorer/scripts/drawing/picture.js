/* Numbers shown as a picture. */

import {SHADES} from "./colours.js";

const opaque = (red, green, blue) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;

/* A canvas with one pixel for one number. */
export class Picture {
  constructor(canvas, columns, rows = columns) {
    canvas.width = columns;
    canvas.height = rows;
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.image = this.context.createImageData(columns, rows);
    this.words = new Uint32Array(this.image.data.buffer);
  }

  /* Numbers of any sign; `scale` is the one that gets full colour. Only the first `count` are
     painted; the rest stays transparent. */
  paintSigned(values, start, scale, table, count = Infinity) {
    const {words} = this;
    const factor = SHADES / scale;
    if (count < words.length) words.fill(0);
    for (let i = 0; i < Math.min(count, words.length); i++) {
      const shade = Math.round(values[start + i] * factor);
      words[i] = table[SHADES + Math.max(-SHADES, Math.min(SHADES, shade))];
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /* Bytes of the network's input, channel after channel: ink of one, 0 for paper; red, green and
     blue of three; of any other number their mean. */
  paintInput(bytes, table) {
    const {words} = this;
    const area = words.length;
    const channels = bytes.length / area;
    for (let i = 0; i < area; i++) {
      if (channels === 3) {
        words[i] = opaque(bytes[i], bytes[area + i], bytes[2 * area + i]);
      } else {
        let sum = 0;
        for (let channel = 0; channel < channels; channel++) sum += bytes[channel * area + i];
        words[i] = table[Math.round(sum / channels)];
      }
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /* What was added to a picture of one channel (or to the mean of several) or taken from it: both
     in full colour, over the ink that stays. */
  paintChange(before, after, palette) {
    const {words} = this;
    const area = words.length;
    for (let i = 0; i < area; i++) {
      let change = 0,
        stays = 0;
      for (let at = i; at < before.length; at += area) {
        change += after[at] - before[at];
        stays += Math.min(before[at], after[at]) / (before.length / area);
      }
      const shade = Math.max(-SHADES, Math.min(SHADES, Math.round(0.5 * change)));
      words[i] = change
        ? palette.signed[SHADES + shade + Math.sign(change) * (SHADES >> 2)] ||
          palette.signed[SHADES + shade]
        : palette.ink[Math.round(0.35 * stays)];
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /* One channel alone, bytes from `start` on; of a colour image in its colour on black. */
  paintChannel(bytes, start, channel, table) {
    const {words} = this;
    for (let i = 0; i < words.length; i++) {
      const byte = bytes[start + i];
      words[i] = table ? table[byte] : opaque(...[0, 1, 2].map((c) => (c === channel ? byte : 0)));
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /* Weights of a colour image's three channels from `start` on: grey is 0, and `scale` is no light
     or full light of a colour, as in_colour of visualize.py has them. */
  paintColours(weights, start, scale) {
    const {words} = this;
    const area = words.length;
    const light = (value) =>
      Math.max(0, Math.min(255, Math.round(127.5 + (127.5 * value) / scale)));
    for (let i = 0; i < area; i++) {
      words[i] = opaque(...[0, 1, 2].map((c) => light(weights[start + c * area + i])));
    }
    this.context.putImageData(this.image, 0, 0);
  }

  clear() {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }
}
