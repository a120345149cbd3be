/* Numbers made into colours. The colours themselves are the style sheet's, so that light and dark
   are settled in one place. */

/* Whole colour stops of the style sheet, from its custom properties. */
export function readColours(names) {
  const probe = document.body.appendChild(document.createElement("i"));
  const colours = names.map((name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe)
      .color.match(/[\d.]+/g)
      .slice(0, 3)
      .map(Number);
  });
  probe.remove();
  return colours;
}

export const SHADES = 255;

/* Tables from a number to a colour, in the byte order of canvas images. */
export class Palette {
  constructor() {
    this.refresh();
  }

  refresh() {
    const [paper, ink, zero, some, much, less, least] = readColours([
      "paper",
      "ink",
      "zero",
      "positive-mid",
      "positive-full",
      "negative-mid",
      "negative-full",
    ]);
    const mix = (a, b, t) => a.map((from, i) => Math.round(from + (b[i] - from) * t));
    const word = ([red, green, blue], alpha = 255) =>
      ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    const ramp = (middle, end, t) =>
      t < 0.5 ? mix(zero, middle, 2 * t) : mix(middle, end, 2 * t - 1);
    this.ink = Uint32Array.from({length: SHADES + 1}, (_, i) => word(mix(paper, ink, i / SHADES)));
    this.inkAlpha = Uint32Array.from({length: SHADES + 1}, (_, i) => word(ink, i));
    this.signed = Uint32Array.from({length: 2 * SHADES + 1}, (_, i) => {
      const t = i / SHADES - 1;
      return word(t < 0 ? ramp(less, least, -t) : ramp(some, much, t));
    });
    // over a drawing: strong where the number is large, and nothing at 0
    this.overlay = Uint32Array.from({length: 2 * SHADES + 1}, (_, i) => {
      const t = i / SHADES - 1;
      return word(
        t < 0 ? mix(less, least, 0.35) : mix(some, much, 0.35),
        Math.round(255 * Math.min(1, Math.abs(t) * 1.25)),
      );
    });
  }
}
