/* The network of model.py in plain JavaScript. */

import {
  KERNEL, LAYERS, TAPS, connect, connectBackward, convolve, convolveBackward, maxPool,
  maxPoolBackward, rectify, rectifyBackward, softmax, turnKernels,
} from "./layers.js";

export class Network {
  /* parameters: all weights and biases one after another, in the order of the model file. */
  constructor(parameters) {
    let start = 0;
    const take = (count) => parameters.subarray(start, start += count);
    this.conv1 = {kernels: turnKernels(take(32 * TAPS)), biases: take(32)};
    this.conv2 = {kernels: turnKernels(take(32 * 32 * TAPS)), biases: take(32)};
    this.dense = {weights: take(512 * 256), biases: take(256)};
    this.output = {weights: take(256 * 10), biases: take(10)};

    /* What each layer computed last. "raw" is a layer's sum before ReLU (or softmax). */
    this.values = {};
    this.raw = {};
    for (const [name, {maps, size, kind}] of Object.entries(LAYERS)) {
      this.values[name] = new Float32Array(maps * size * size);
      if (kind === "convolution" || kind === "dense") {
        this.raw[name] = new Float32Array(maps * size * size);
      }
    }
  }

  /* pixels: 28 x 28 numbers in [0, 255/256]. Returns the ten probabilities. */
  forward(pixels) {
    const {values, raw} = this;
    values.input.set(pixels);
    convolve(values.input, 28, this.conv1, raw.conv1);
    rectify(raw.conv1, values.conv1);
    maxPool(values.conv1, 24, values.pool1);
    convolve(values.pool1, 12, this.conv2, raw.conv2);
    rectify(raw.conv2, values.conv2);
    maxPool(values.conv2, 8, values.pool2);
    connect(values.pool2, this.dense, raw.dense);
    rectify(raw.dense, values.dense);
    connect(values.dense, this.output, raw.output);
    softmax(raw.output, values.output);
    return values.output;
  }

  /* The gradient of one digit's score (before softmax) by each pixel of the last input. */
  saliency(digit) {
    const {values, raw} = this;
    let gradient = new Float64Array(10);
    gradient[digit] = 1;
    gradient = connectBackward(gradient, this.output);
    gradient = rectifyBackward(gradient, raw.dense);
    gradient = connectBackward(gradient, this.dense);
    gradient = maxPoolBackward(gradient, values.conv2, 8, values.pool2);
    gradient = rectifyBackward(gradient, raw.conv2);
    gradient = convolveBackward(gradient, 12, this.conv2);
    gradient = maxPoolBackward(gradient, values.conv1, 24, values.pool1);
    gradient = rectifyBackward(gradient, raw.conv1);
    return Float32Array.from(convolveBackward(gradient, 28, this.conv1));
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

    const patchOf = (c) => Float32Array.from({length: count}, (_, i) => {
      const y = row + Math.floor(i / width);
      const x = column + i % width;
      return input[(c * below.size + y) * below.size + x];
    });
    const kernelOf = (c) => isConvolution
      ? kernels.subarray((map * below.maps + c) * count, (map * below.maps + c + 1) * count)
      : Float32Array.from({length: count}, (_, i) => weights[(c * count + i) * units + map]);
    const sumOf = (c) => {
      const kernel = kernelOf(c);
      return patchOf(c).reduce((sum, value, i) => sum + value * kernel[i], 0);
    };

    const sums = Float64Array.from({length: below.maps}, (_, c) => sumOf(c));
    if (channel === null) {
      channel = sums.reduce((best, sum, c) => Math.abs(sum) > Math.abs(sums[best]) ? c : best, 0);
    }
    const patch = patchOf(channel);
    const kernel = kernelOf(channel);
    return {
      width, row, column, channel, patch, kernel, sums,
      products: patch.map((value, i) => value * kernel[i]),
      bias: biases[map],
      raw: this.raw[layer][(map * LAYERS[layer].size + row) * LAYERS[layer].size + column],
    };
  }
}
