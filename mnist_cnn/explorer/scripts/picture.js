/* Numbers shown as a picture. */

import {SHADES} from "./colours.js";

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

  /* Bytes, 0 for paper. */
  paintInk(bytes, table) {
    for (let i = 0; i < this.words.length; i++) this.words[i] = table[bytes[i]];
    this.context.putImageData(this.image, 0, 0);
  }

  clear() {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }
}
