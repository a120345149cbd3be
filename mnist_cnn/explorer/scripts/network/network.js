/* The network of model.py in plain JavaScript. */

import {
  KERNEL,
  LAYERS,
  TAPS,
  connect,
  connectBackward,
  convolve,
  convolveBackward,
  maxPool,
  maxPoolBackward,
  rectify,
  rectifyBackward,
  softmax,
  turnKernels,
} from "./layers.js";

const ORDER = ["output", "dense", "pool2", "conv2", "pool1", "conv1"];

export class Network {
  /* parameters: all weights and biases one after another, in the order of the model file. They
     are copied, so that they can be changed. */
  constructor(parameters) {
    let start = 0;
    const take = (count) => parameters.slice(start, (start += count));
    const {input, conv1, pool2, dense, output} = LAYERS;
    this.conv1 = {kernels: turnKernels(take(conv1.maps * input.maps * TAPS)), biases: take(32)};
    this.conv2 = {kernels: turnKernels(take(32 * 32 * TAPS)), biases: take(32)};
    const features = pool2.maps * pool2.size ** 2;
    this.dense = {weights: take(features * dense.maps), biases: take(dense.maps)};
    this.output = {weights: take(dense.maps * output.maps), biases: take(output.maps)};
    /* Maps and units that are set to 0 after ReLU. */
    this.silenced = {conv1: new Set(), conv2: new Set(), dense: new Set()};
    this.makeRoom();
  }

  /* What each layer computed last. "raw" is a layer's sum before ReLU (or softmax). */
  makeRoom() {
    this.values = {};
    this.raw = {};
    for (const [name, {maps, size, kind}] of Object.entries(LAYERS)) {
      this.values[name] = new Float32Array(maps * size * size);
      if (kind === "convolution" || kind === "dense") {
        this.raw[name] = new Float32Array(maps * size * size);
      }
    }
  }

  /* A network with the same weights, which are shared, and values of its own. */
  twin() {
    const twin = Object.assign(Object.create(Network.prototype), this);
    twin.makeRoom();
    return twin;
  }

  /* pixels: numbers in [0, 255/256], channel after channel. Returns the probabilities. */
  forward(pixels) {
    const {values, raw} = this;
    values.input.set(pixels);
    convolve(values.input, LAYERS.input.size, this.conv1, raw.conv1);
    this.activate("conv1");
    maxPool(values.conv1, LAYERS.conv1.size, values.pool1);
    convolve(values.pool1, LAYERS.pool1.size, this.conv2, raw.conv2);
    this.activate("conv2");
    maxPool(values.conv2, LAYERS.conv2.size, values.pool2);
    connect(values.pool2, this.dense, raw.dense);
    this.activate("dense");
    connect(values.dense, this.output, raw.output);
    softmax(raw.output, values.output);
    return values.output;
  }

  activate(layer) {
    rectify(this.raw[layer], this.values[layer]);
    const area = LAYERS[layer].size ** 2;
    for (const map of this.silenced[layer]) {
      this.values[layer].fill(0, map * area, (map + 1) * area);
    }
  }

  /* The gradient of one raw sum (a class's score, say) by each pixel of the last input. */
  gradient(layer, map, row = 0, column = 0) {
    const {size, maps} = LAYERS[layer];
    const weights = new Float64Array(maps * size * size);
    weights[(map * size + row) * size + column] = 1;
    return this.gradientOf(layer, weights);
  }

  /* The same of a weighted sum of a layer's raw sums. */
  gradientOf(layer, weights) {
    let gradient = weights;
    for (const name of ORDER.slice(ORDER.indexOf(layer))) {
      gradient = this.backward(name, gradient, name === layer);
    }
    return Float32Array.from(gradient);
  }

  backward(layer, gradient, isRaw) {
    const {values, raw} = this;
    const {below, kind} = LAYERS[layer];
    const {size} = LAYERS[below];
    if (kind === "pooling") return maxPoolBackward(gradient, values[below], size, values[layer]);
    if (!isRaw) {
      gradient = rectifyBackward(gradient, raw[layer]);
      const area = LAYERS[layer].size ** 2;
      for (const map of this.silenced[layer]) gradient.fill(0, map * area, (map + 1) * area);
    }
    return kind === "dense"
      ? connectBackward(gradient, this[layer])
      : convolveBackward(gradient, size, this[layer]);
  }

  /* The sum behind one value, taken apart.

     Returns patch, kernel and products of one channel (row after row, `width` to a row), where
     the patch lies in that channel (row, column), the sum over each channel's products, the
     bias, and raw = all the sums + bias. With channel null, the one that counts most. */
  terms(layer, map, row, column, channel = null) {
    const below = LAYERS[LAYERS[layer].below];
    const input = this.values[LAYERS[layer].below];
    const isConvolution = LAYERS[layer].kind === "convolution";
    const width = isConvolution ? KERNEL : below.size;
    const count = width * width;
    const units = LAYERS[layer].maps;
    const {kernels, weights, biases} = this[layer];

    const patchOf = (c) =>
      Float32Array.from({length: count}, (_, i) => {
        const y = row + Math.floor(i / width);
        const x = column + (i % width);
        return input[(c * below.size + y) * below.size + x];
      });
    const kernelOf = (c) =>
      isConvolution
        ? kernels.subarray((map * below.maps + c) * count, (map * below.maps + c + 1) * count)
        : Float32Array.from({length: count}, (_, i) => weights[(c * count + i) * units + map]);
    const sumOf = (c) => {
      const kernel = kernelOf(c);
      return patchOf(c).reduce((sum, value, i) => sum + value * kernel[i], 0);
    };

    const sums = Float64Array.from({length: below.maps}, (_, c) => sumOf(c));
    if (channel === null) {
      channel = sums.reduce((best, sum, c) => (Math.abs(sum) > Math.abs(sums[best]) ? c : best), 0);
    }
    const patch = patchOf(channel);
    const kernel = kernelOf(channel);
    return {
      width,
      row,
      column,
      channel,
      patch,
      kernel,
      sums,
      products: patch.map((value, i) => value * kernel[i]),
      bias: biases[map],
      raw: this.raw[layer][(map * LAYERS[layer].size + row) * LAYERS[layer].size + column],
    };
  }
}
