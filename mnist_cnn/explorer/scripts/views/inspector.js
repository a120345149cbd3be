/* The inspector: one value of one map, and the sum that made it.

   A selection is {layer, map, row, column, channel}; channel (null for "the one that counts
   most") is the map of the layer below whose part is spelled out. What stands in the inspector
   depends on the kind of layer: its view builds the parts when another layer is selected, and
   updates them in every frame. */

import {byId, element} from "../page/dom.js";
import {Grids} from "../drawing/grids.js";
import {LAYERS, isColour, isInk} from "../network/layers.js";
import {shownOf, stepBy, togglePlay} from "./motion.js";
import {Picture} from "../drawing/picture.js";
import {cellAt} from "./stages.js";
import {channelName, state} from "../page/state.js";
import {denseView, convolutionView} from "./sum.js";
import {inputView} from "./input.js";
import {outputView} from "./output.js";
import {poolingView} from "./pooling.js";

const viewOf = (layer) =>
  layer === "input"
    ? inputView
    : layer === "output"
      ? outputView
      : {convolution: convolutionView, pooling: poolingView, dense: denseView}[LAYERS[layer].kind];

export class Inspector {
  /* onPixel(row, column, keep) and onChannel(channel, keep) report what is pointed at. */
  constructor({heading, about, body}, {onPixel, onChannel, onLeave}) {
    Object.assign(this, {heading, about, body, onPixel, onChannel, onLeave});
    this.equation = element("p", {className: "equation", id: "equation"});
    this.layer = null;
  }

  show(selection) {
    const {layer} = selection;
    const view = viewOf(layer);
    this.selection = selection;
    if (layer !== this.layer) {
      this.layer = layer;
      this.grids = new Grids();
      this.about.textContent = document.querySelector(`[data-layer=${layer}] .about`).textContent;
      this.body.dataset.shown = layer;
      this.body.replaceChildren(...view.build(this, layer));
    }
    this.heading.replaceChildren(...this.title(selection));
    view.update(this, selection);
  }

  title({layer, map, row, column}) {
    const place = ` row ${row}, column ${column}`;
    const rest =
      {
        input: `pixel in${place}`,
        dense: `unit ${map}`,
        output: `class ${state.names[map]}`,
      }[layer] || `map ${map}, pixel in${place}`;
    return [byId(`title-${layer}`).textContent, element("span", {}, rest)];
  }

  /* --- parts that several views have --- */

  figure(className, caption, ...children) {
    return element(
      "figure",
      {className},
      element("figcaption", {}, caption),
      element("div", {className: "frame"}, ...children),
    );
  }

  /* Tables of numbers, and the equation under them. */
  buildMiddle(...grids) {
    return element(
      "div",
      {className: "middle"},
      element("div", {className: "grids"}, ...grids),
      this.equation,
    );
  }

  buildSign(textContent) {
    return element("span", {className: "sign", textContent});
  }

  /* The map of the layer below, with the frame that the window looks at. */
  buildBelow() {
    const canvas = element("canvas");
    this.below = {
      picture: new Picture(canvas, LAYERS[LAYERS[this.layer].below].size),
      box: element("i", {className: "box"}),
    };
    const figure = this.figure("below", "", canvas, this.below.box);
    this.below.caption = figure.firstChild;
    const {maps} = LAYERS[LAYERS[this.layer].below];
    this.below.caption.dataset.widest = Array.from({length: maps}, (_, i) =>
      this.captionBelow(i),
    ).reduce((a, b) => (b.length > a.length ? b : a));
    return figure;
  }

  /* The selected map itself, to choose pixels on. */
  buildHere() {
    const {size} = LAYERS[this.layer];
    const canvas = element("canvas", {id: "here", tabIndex: 0});
    canvas.setAttribute("role", "application");
    canvas.setAttribute(
      "aria-label",
      "Pixels of this map: choose with the arrow keys; space plays",
    );
    this.here = {picture: new Picture(canvas, size), box: element("i", {className: "box"})};
    const report = (event, keep) => {
      const {row, column} = cellAt(event, canvas, size, size);
      this.onPixel(row, column, keep);
    };
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") report(event, false);
    });
    canvas.addEventListener("pointerleave", () => this.onLeave());
    canvas.addEventListener("click", (event) => report(event, true));
    canvas.addEventListener("keydown", (event) => {
      const actions = {" ": togglePlay, ",": () => stepBy(-1), ".": () => stepBy(1)};
      if (event.key in actions) {
        event.preventDefault();
        actions[event.key]();
        return;
      }
      const moves = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
      if (!(event.key in moves)) return;
      event.preventDefault();
      const within = (value) => Math.max(0, Math.min(size - 1, value));
      const [down, right] = moves[event.key];
      this.onPixel(within(this.selection.row + down), within(this.selection.column + right), true);
    });
    const figure = this.figure("here", "", canvas, this.here.box);
    this.here.caption = figure.firstChild;
    return figure;
  }

  /* --- filling them in --- */

  place(box, row, column, count, size) {
    box.style.cssText =
      `left:${(100 * column) / size}%;top:${(100 * row) / size}%;` +
      `width:${(100 * count) / size}%;height:${(100 * count) / size}%`;
  }

  paint(picture, layer, map, raw = false, count = Infinity) {
    const {size} = LAYERS[layer];
    const kind = raw ? "raw" : "values";
    const values = state.network[kind][layer];
    if (layer === "input")
      picture.paintInput(
        values.map((value) => 256 * value),
        state.palette.ink,
      );
    else
      picture.paintSigned(
        values,
        map * size * size,
        state.scale[kind][layer],
        state.palette.signed,
        count,
      );
  }

  paintBelow(channel, row, column, count) {
    const {below} = LAYERS[this.layer];
    if (below === "input" && !isInk()) {
      const bytes = state.network.values.input.map((value) => 256 * value);
      const table = isColour() ? null : state.palette.ink;
      this.below.picture.paintChannel(bytes, channel * LAYERS.input.size ** 2, channel, table);
    } else this.paint(this.below.picture, below, channel);
    this.place(this.below.box, row, column, count, LAYERS[below].size);
    this.below.caption.textContent = this.captionBelow(channel);
  }

  captionBelow(channel) {
    const {below} = LAYERS[this.layer];
    if (below !== "input") return `${byId(`title-${below}`).textContent}, map ${channel}`;
    return isInk() ? "Input" : `Input, ${channelName(channel)}`;
  }

  paintHere(caption) {
    const {layer, map, row, column} = this.selection;
    const {size, kind} = LAYERS[layer];
    this.paint(
      this.here.picture,
      layer,
      map,
      state.showRaw && kind === "convolution",
      shownOf(layer, map),
    );
    this.place(this.here.box, row, column, 1, size);
    this.here.caption.textContent = caption;
  }

  /* terms: signs as text, and {name, value, result} where result marks what the page shows. */
  write(...terms) {
    this.equation.replaceChildren(
      ...terms.map((term) =>
        typeof term === "string"
          ? this.buildSign(term)
          : element(
              "span",
              {className: term.result ? "term result" : "term"},
              element("small", {}, term.name),
              element("b", {}, term.value),
            ),
      ),
    );
  }
}
