/* Changes to the network by hand: maps silenced, weights scaled or drawn; and the way back.

   A place is {layer, map}: a map or unit of a layer that learns. */

import {LAYERS, TAPS, turnKernels} from "./layers.js";

export class Edits {
  constructor(network) {
    this.network = network;
    this.original = {};
    for (const layer of ["conv1", "conv2", "dense", "output"]) {
      this.original[layer] = weightsOf(network, layer).slice();
    }
    this.factors = new Map(); // by place, where it is not 1
    this.changed = new Set(); // places of which anything was changed
    this.version = 0;
  }

  /* What was learned, one after another as in the model file (kernels turned back). */
  learned() {
    const {conv1, conv2, dense, output} = this.network;
    const {original} = this;
    const parts = [
      turnKernels(original.conv1),
      conv1.biases,
      turnKernels(original.conv2),
      conv2.biases,
      original.dense,
      dense.biases,
      original.output,
      output.biases,
    ];
    const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((start, part) => {
      all.set(part, start);
      return start + part.length;
    }, 0);
    return all;
  }

  get count() {
    return this.changed.size;
  }

  isChanged(layer, map) {
    return this.changed.has(`${layer} ${map}`);
  }

  isSilenced(layer, map) {
    return Boolean(this.network.silenced[layer]) && this.network.silenced[layer].has(map);
  }

  silence(layer, map, on) {
    const {silenced} = this.network;
    if (on) silenced[layer].add(map);
    else silenced[layer].delete(map);
    this.note(layer, map);
  }

  factorOf(layer, map) {
    return this.factors.get(`${layer} ${map}`) || 1;
  }

  /* All the weights of one map or unit times a factor, counted from what was learned. What was
     drawn by hand goes. */
  scale(layer, map, factor) {
    const weights = weightsOf(this.network, layer);
    for (const i of indicesOf(layer, map)) weights[i] = factor * this.original[layer][i];
    this.factors.set(`${layer} ${map}`, factor);
    this.note(layer, map);
  }

  /* i: place in the kernel, row after row, or in the 4 x 4 weights of a dense unit. */
  setWeight(layer, map, channel, i, value) {
    weightsOf(this.network, layer)[indicesOf(layer, map)[channel * widthOf(layer) + i]] = value;
    this.note(layer, map);
  }

  /* The largest weight that was learned for a map, as a measure for what is drawn. */
  measure(layer, map) {
    return indicesOf(layer, map).reduce(
      (best, i) => Math.max(best, Math.abs(this.original[layer][i])),
      0,
    );
  }

  reset(layer, map) {
    const weights = weightsOf(this.network, layer);
    for (const i of indicesOf(layer, map)) weights[i] = this.original[layer][i];
    if (this.network.silenced[layer]) this.network.silenced[layer].delete(map);
    this.factors.delete(`${layer} ${map}`);
    this.note(layer, map);
  }

  resetAll() {
    for (const place of [...this.changed]) {
      const [layer, map] = place.split(" ");
      this.reset(layer, Number(map));
    }
  }

  note(layer, map) {
    const weights = weightsOf(this.network, layer);
    const isSame =
      !this.isSilenced(layer, map) &&
      indicesOf(layer, map).every((i) => weights[i] === this.original[layer][i]);
    if (isSame) this.changed.delete(`${layer} ${map}`);
    else this.changed.add(`${layer} ${map}`);
    this.version++;
  }
}

const weightsOf = (network, layer) => network[layer].kernels || network[layer].weights;

/* Weights for one map below: a kernel's 25, a dense unit's 16 of each map, an answer's 1. */
const widthOf = (layer) =>
  LAYERS[layer].kind === "convolution" ? TAPS : LAYERS[LAYERS[layer].below].size ** 2;

/* Where one map's weights lie among its layer's. */
function indicesOf(layer, map) {
  const {below, kind, maps} = LAYERS[layer];
  const count = LAYERS[below].maps * widthOf(layer);
  return Array.from({length: count}, (_, i) =>
    kind === "convolution" ? map * count + i : i * maps + map,
  );
}
