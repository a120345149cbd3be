/* Numbers made into colours. The colours themselves are style.css's, so that light and dark are
   settled in one place. */

/* Whole colour stops of the style sheet, from its custom properties. */
function readColours(names) {
  const probe = document.body.appendChild(document.createElement("i"));
  const colours = names.map((name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  });
  probe.remove();
  return colours;
}

const SHADES = 255;

/* Tables from a number to a colour, in the byte order of canvas images. */
class Palette {
  constructor() {
    this.refresh();
  }

  refresh() {
    const [paper, ink, zero, some, much, less, least] = readColours(
      ["paper", "ink", "zero", "positive-mid", "positive-full", "negative-mid", "negative-full"]);
    const mix = (a, b, t) => a.map((from, i) => Math.round(from + (b[i] - from) * t));
    const word = ([red, green, blue], alpha = 255) =>
      (alpha << 24 | blue << 16 | green << 8 | red) >>> 0;
    const ramp = (middle, end, t) => t < .5 ? mix(zero, middle, 2 * t) : mix(middle, end, 2 * t - 1);
    this.ink = Uint32Array.from({length: SHADES + 1}, (_, i) => word(mix(paper, ink, i / SHADES)));
    this.inkAlpha = Uint32Array.from({length: SHADES + 1}, (_, i) => word(ink, i));
    this.signed = Uint32Array.from({length: 2 * SHADES + 1}, (_, i) => {
      const t = i / SHADES - 1;
      return word(t < 0 ? ramp(less, least, -t) : ramp(some, much, t));
    });
    // over a drawing: strong where the number is large, and nothing at 0
    this.overlay = Uint32Array.from({length: 2 * SHADES + 1}, (_, i) => {
      const t = i / SHADES - 1;
      return word(t < 0 ? mix(less, least, .35) : mix(some, much, .35),
                  Math.round(255 * Math.min(1, Math.abs(t) * 1.25)));
    });
  }
}

/* A canvas with one pixel for one number. */
class Picture {
  constructor(canvas, columns, rows = columns) {
    canvas.width = columns;
    canvas.height = rows;
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.image = this.context.createImageData(columns, rows);
    this.words = new Uint32Array(this.image.data.buffer);
  }

  /* Numbers of any sign; `scale` is the one that gets full colour. */
  paintSigned(values, start, scale, table) {
    const {words} = this;
    const factor = SHADES / scale;
    for (let i = 0; i < words.length; i++) {
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

/* A small language for building elements: tag, properties, children. */
function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/* A number for people: a true minus, and no "-0.00". */
function number(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? "\u2212" + text : text;
}

function percent(value) {
  return value > .9995 ? "100 %" : value < .0005 ? "0 %" : (100 * value).toFixed(1) + " %";
}
