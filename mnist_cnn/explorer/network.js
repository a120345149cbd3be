/* The network of model.py in plain JavaScript: forward, and backward down to the pixels.

   Every layer is a flat Float32Array in the order (channel, row, column). Sums are carried in
   double precision and rounded once, so they agree with Theano's to the last digits of float32. */

const KERNEL = 5;
const TAPS = KERNEL * KERNEL;

/* Every layer that the page shows: its maps, their size, and the layer it is computed from. */
const LAYERS = {
  input: {maps: 1, size: 28},
  conv1: {maps: 32, size: 24, below: "input", kind: "convolution"},
  pool1: {maps: 32, size: 12, below: "conv1", kind: "pooling"},
  conv2: {maps: 32, size: 8, below: "pool1", kind: "convolution"},
  pool2: {maps: 32, size: 4, below: "conv2", kind: "pooling"},
  dense: {maps: 256, size: 1, below: "pool2", kind: "dense"},
  output: {maps: 10, size: 1, below: "dense", kind: "dense"},
};

/* Theano convolves as mathematics does: it turns the kernel by 180 degrees before laying it on
   the image. Turned once here, it can be laid on as it is, and shown as it is laid on. */
function turnKernels(kernels) {
  const turned = new Float32Array(kernels.length);
  for (let i = 0; i < kernels.length; i += TAPS) {
    for (let j = 0; j < TAPS; j++) turned[i + j] = kernels[i + TAPS - 1 - j];
  }
  return turned;
}

function convolve(input, size, {kernels, biases}, output) {
  const channels = kernels.length / biases.length / TAPS;
  const outputSize = size - KERNEL + 1;
  let position = 0;
  for (let map = 0; map < biases.length; map++) {
    for (let row = 0; row < outputSize; row++) {
      for (let column = 0; column < outputSize; column++) {
        let sum = 0;
        let k = map * channels * TAPS;
        for (let channel = 0; channel < channels; channel++) {
          let i = (channel * size + row) * size + column;
          for (let y = 0; y < KERNEL; y++, i += size, k += KERNEL) {
            sum += input[i] * kernels[k] + input[i + 1] * kernels[k + 1] +
                   input[i + 2] * kernels[k + 2] + input[i + 3] * kernels[k + 3] +
                   input[i + 4] * kernels[k + 4];
          }
        }
        output[position++] = sum + biases[map];
      }
    }
  }
}

function rectify(input, output) {
  for (let i = 0; i < input.length; i++) output[i] = input[i] > 0 ? input[i] : 0;
}

function maxPool(input, size, output) {
  const maps = input.length / (size * size);
  let position = 0;
  for (let map = 0; map < maps; map++) {
    for (let row = 0; row < size; row += 2) {
      let i = (map * size + row) * size;
      for (let column = 0; column < size; column += 2, i += 2) {
        output[position++] = Math.max(input[i], input[i + 1], input[i + size], input[i + size + 1]);
      }
    }
  }
}

function connect(input, {weights, biases}, output) {
  const units = biases.length;
  const sums = Float64Array.from(biases);
  for (let i = 0; i < input.length; i++) {
    const value = input[i];
    if (value === 0) continue;  // about half of them, after ReLU
    for (let unit = 0, w = i * units; unit < units; unit++, w++) sums[unit] += value * weights[w];
  }
  output.set(sums);
}

function softmax(scores, output) {
  const highest = Math.max(...scores);  // taken off first: exp() of it cannot overflow
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - highest);
  for (let i = 0; i < scores.length; i++) output[i] = Math.exp(scores[i] - highest) / sum;
}

/* Backward through each of them: the gradient of the output in, the gradient of the input out. */

function convolveBackward(gradient, size, {kernels, biases}) {
  const channels = kernels.length / biases.length / TAPS;
  const outputSize = size - KERNEL + 1;
  const result = new Float64Array(channels * size * size);
  let position = 0;
  for (let map = 0; map < biases.length; map++) {
    for (let row = 0; row < outputSize; row++) {
      for (let column = 0; column < outputSize; column++) {
        const g = gradient[position++];
        if (g === 0) continue;  // most: each pool passes on to one of four
        let k = map * channels * TAPS;
        for (let channel = 0; channel < channels; channel++) {
          for (let y = 0; y < KERNEL; y++) {
            const i = (channel * size + row + y) * size + column;
            for (let x = 0; x < KERNEL; x++) result[i + x] += g * kernels[k++];
          }
        }
      }
    }
  }
  return result;
}

function rectifyBackward(gradient, raw) {
  // Lasagne's rectifier is (x + |x|) / 2, whose slope at exactly 0 is one half
  return gradient.map((g, i) => raw[i] > 0 ? g : raw[i] === 0 ? g / 2 : 0);
}

function maxPoolBackward(gradient, input, size, output) {
  const result = new Float64Array(input.length);
  const half = size / 2;
  for (let i = 0; i < input.length; i++) {
    const map = Math.floor(i / (size * size));
    const row = Math.floor(i / size) % size;
    const pooled = (map * half + (row >> 1)) * half + ((i % size) >> 1);
    // Theano hands the gradient to every pixel that ties for the largest
    if (input[i] === output[pooled]) result[i] = gradient[pooled];
  }
  return result;
}

function connectBackward(gradient, {weights}) {
  const units = gradient.length;
  const result = new Float64Array(weights.length / units);
  for (let i = 0; i < result.length; i++) {
    for (let unit = 0, w = i * units; unit < units; unit++, w++) {
      result[i] += gradient[unit] * weights[w];
    }
  }
  return result;
}

class Network {
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
