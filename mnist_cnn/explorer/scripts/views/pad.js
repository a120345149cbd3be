/* The drawing pad: strokes by mouse, pen, finger or keys, and the way back. On pictures of several
   channels nothing is drawn.

   What is on the pad is a state: a picture that was picked, or the strokes that were drawn.
   Each action puts a new state on the history; undo takes it off. */

import {readColours} from "../drawing/colours.js";
import {countDigits} from "../pictures/digits.js";
import {element} from "../page/dom.js";
import {Picture} from "../drawing/picture.js";
import {LAYERS, inputCount, isInk} from "../network/layers.js";
import {plane} from "../pictures/planes.js";
import {preprocess} from "../pictures/preprocess.js";
import {state} from "../page/state.js";

export const PAD = 280; // the pad's side in its own units: 10 for a pixel of MNIST

export class Pad {
  constructor(canvas, pen, {onChange, onReplaced}) {
    this.canvas = canvas;
    this.onReplaced = onReplaced;
    this.pen = pen;
    this.onChange = onChange;
    this.brush = 24;
    this.history = [{digit: null, strokes: []}];
    this.stroke = null;
    this.colour = "black";
    this.inkTable = null;

    this.context = canvas.getContext("2d");
    // what the network is shown: the same strokes, small, read back at every frame
    this.mask = element("canvas", {width: PAD, height: PAD}).getContext("2d", {
      willReadFrequently: true,
    });
    this.digitPicture = new Picture(element("canvas"), LAYERS.input.size);
    this.at = {x: PAD / 2, y: PAD / 2}; // where the keys' pen is
    if (isInk()) this.wire(canvas);
  }

  wire(canvas) {
    canvas.addEventListener("pointerdown", (event) => this.pointerDown(event));
    canvas.addEventListener("pointermove", (event) => this.pointerMove(event));
    for (const type of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(type, () => this.endStroke());
    }
    canvas.addEventListener("keydown", (event) => this.keyDown(event));
    canvas.addEventListener("focus", () => this.showPen());
    canvas.addEventListener("blur", () => {
      this.endStroke();
      this.pen.hidden = true;
    });
  }

  get state() {
    return this.history[this.history.length - 1];
  }

  get isEmpty() {
    return this.state.digit === null && this.state.strokes.length === 0;
  }

  /* What brings this back after a reload: strokes, or a test picture's number. */
  get saved() {
    const {digit, strokes} = this.state;
    if (!digit) return {strokes};
    return digit.index === undefined ? null : {index: digit.index};
  }

  /* saved: as above, of an earlier visit; whether there was any. */
  restore(saved, digitOf) {
    if (!saved) return false;
    if (saved.strokes) this.push({digit: null, strokes: saved.strokes});
    else this.pick(digitOf(saved.index));
    return true;
  }

  /* --- actions --- */

  /* digit: {pixels: bytes of the input, ...}; an example is one that the first stroke replaces. */
  pick(digit, isExample = false) {
    this.push({digit, strokes: [], isExample});
  }

  clear() {
    if (!this.isEmpty) this.push({digit: null, strokes: []});
  }

  undo() {
    this.endStroke();
    if (this.canUndo) {
      this.history.pop();
      this.redraw();
      this.onChange();
    }
  }

  get canUndo() {
    return this.history.length > 1;
  }

  push(state) {
    this.endStroke();
    this.history.push(state);
    this.redraw();
    this.onChange();
  }

  /* On a picture that was picked the first stroke begins a drawing of one's own. */
  startStroke(point) {
    const {digit, strokes, isExample} = this.state;
    this.endStroke();
    const stroke = {width: this.brush, points: [point]};
    this.push({digit: null, strokes: [...strokes, stroke]});
    this.stroke = stroke;
    if (digit && !isExample) this.onReplaced();
  }

  extendStroke(point) {
    const {points} = this.stroke;
    const last = points[points.length - 1];
    if (Math.hypot(point.x - last.x, point.y - last.y) < 0.5) return;
    points.push(point);
    this.drawPiece(last, point, this.stroke.width);
    this.onChange();
  }

  endStroke() {
    this.stroke = null;
    this.pen.classList.remove("down");
  }

  /* --- mouse, pen, finger --- */

  pointOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * PAD,
      y: ((event.clientY - box.top) / box.height) * PAD,
    };
  }

  pointerDown(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.at = this.pointOf(event);
    this.pen.hidden = true;
    this.startStroke(this.at);
    this.stroke.byPointer = true;
  }

  pointerMove(event) {
    if (!this.stroke || !this.stroke.byPointer || !event.isPrimary) return;
    if (!(event.buttons & 1)) {
      this.endStroke(); // it was let go where the page did not see it
      return;
    }
    // a fast hand makes several points between two frames
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const {clientX, clientY} of events.length ? events : [event]) {
      this.at = this.pointOf({clientX, clientY});
      this.extendStroke(this.at);
    }
  }

  /* --- keys --- */

  keyDown(event) {
    const step = event.shiftKey ? 3 : 10;
    const moves = {
      ArrowLeft: [-step, 0],
      ArrowRight: [step, 0],
      ArrowUp: [0, -step],
      ArrowDown: [0, step],
    };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) {
      const [x, y] = moves[event.key];
      const within = (value) => Math.max(0, Math.min(PAD, value));
      this.at = {x: within(this.at.x + x), y: within(this.at.y + y)};
      if (this.stroke) this.extendStroke(this.at);
    } else if (event.key === " " || event.key === "Enter") {
      if (this.stroke) this.endStroke();
      else this.startStroke(this.at);
    } else if (event.key === "Escape") {
      this.endStroke();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
    this.showPen();
  }

  showPen() {
    if (!this.canvas.matches(":focus-visible")) return;
    this.pen.hidden = false;
    this.pen.style.left = `${(100 * this.at.x) / PAD}%`;
    this.pen.style.top = `${(100 * this.at.y) / PAD}%`;
    this.pen.style.setProperty("--width", this.brush / PAD);
    this.pen.classList.toggle("down", this.stroke !== null);
  }

  /* --- ink --- */

  /* Piece by piece, as it came about: drawn as one line its soft edges would differ a little,
     and undo would not lead back to the very same picture. */
  drawStroke({width, points}) {
    points.forEach((point, i) => this.drawPiece(points[Math.max(0, i - 1)], point, width));
  }

  drawPiece(from, to, width) {
    for (const context of [this.mask, this.context]) {
      const scale = context.canvas.width / PAD;
      context.lineCap = "round";
      context.lineWidth = width * scale;
      context.strokeStyle = this.colour;
      context.beginPath();
      context.moveTo(from.x * scale, from.y * scale);
      context.lineTo(to.x * scale, to.y * scale); // of no length, it is a dot
      context.stroke();
    }
  }

  /* All of it anew; palette only where it changed. */
  redraw(palette) {
    if (palette) {
      this.inkTable = palette.inkAlpha;
      this.colour = `rgb(${readColours(["ink"])[0].join(" ")})`;
    }
    const {digit, strokes} = this.state;
    this.mask.clearRect(0, 0, PAD, PAD);
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (digit) {
      this.digitPicture.paintInput(digit.pixels, this.inkTable);
      this.context.imageSmoothingEnabled = false;
      this.context.drawImage(this.digitPicture.canvas, 0, 0, this.canvas.width, this.canvas.height);
    }
    for (const stroke of strokes) this.drawStroke(stroke);
  }

  /* What the network sees: its input's bytes, and how a point of the pad came to where it is.

     A drawing is prepared as MNIST's digits were, where the data set is of that kind; a picked
     picture is prepared already. `count` is how many digits a drawing shows. */
  read() {
    const {digit, strokes} = this.state;
    const {size: side} = LAYERS.input;
    const cell = PAD / side;
    const stay = {scaleX: 1 / cell, scaleY: 1 / cell, shiftX: 0, shiftY: 0};
    const nothing = {...stay, pixels: new Uint8Array(inputCount())};
    if (strokes.length === 0) return digit ? {...stay, pixels: digit.pixels} : nothing;

    const image = this.mask.getImageData(0, 0, PAD, PAD).data;
    const ink = new Uint8Array(PAD * PAD);
    for (let i = 0; i < ink.length; i++) ink[i] = image[4 * i + 3];
    if (state.handwriting) {
      const read = preprocess(ink, PAD);
      return read ? {...read, count: countDigits(plane(ink, PAD, PAD))} : nothing;
    }

    const covered = new Float32Array(side * side);
    for (let i = 0; i < ink.length; i++) {
      covered[Math.floor(i / PAD / cell) * side + Math.floor((i % PAD) / cell)] += ink[i];
    }
    return {
      ...stay,
      pixels: Uint8Array.from(covered, (ink) => Math.min(255, Math.round(ink / (cell * cell)))),
    };
  }
}
