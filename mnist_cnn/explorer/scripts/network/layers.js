/* The layers' arithmetic: forward, and backward from the gradient of the output to the input's.

   Every layer is a flat Float32Array in the order (channel, row, column). Sums are carried in
   double precision and rounded once, so they agree with Theano's to the last digits of float32. */

export const KERNEL = 5;
export const TAPS = KERNEL * KERNEL;

/* Every layer that the page shows: its maps, their size, and the layer it is computed from. The
   numbers are those for MNIST until shapeLayers sets others. */
export const LAYERS = {
  input: {maps: 1, size: 28},
  conv1: {maps: 32, size: 24, below: "input", kind: "convolution"},
  pool1: {maps: 32, size: 12, below: "conv1", kind: "pooling"},
  conv2: {maps: 32, size: 8, below: "pool1", kind: "convolution"},
  pool2: {maps: 32, size: 4, below: "conv2", kind: "pooling"},
  dense: {maps: 256, size: 1, below: "pool2", kind: "dense"},
  output: {maps: 10, size: 1, below: "dense", kind: "dense"},
};

/* Size the layers for images of so many channels and `side` x `side` pixels, and so many classes. */
export function shapeLayers({channels, side, classes}) {
  const {input, conv1, pool1, conv2, pool2, output} = LAYERS;
  Object.assign(input, {maps: channels, size: side});
  conv1.size = side - KERNEL + 1;
  pool1.size = Math.floor(conv1.size / 2);
  conv2.size = pool1.size - KERNEL + 1;
  pool2.size = Math.floor(conv2.size / 2);
  output.maps = classes;
}

/* The input's channels: one is ink or grey, three are red, green and blue. */
export const isColour = () => LAYERS.input.maps === 3;
export const isInk = () => LAYERS.input.maps === 1;
export const inputCount = () => LAYERS.input.maps * LAYERS.input.size ** 2;

/* Theano convolves as mathematics does: it turns the kernel by 180 degrees before laying it on
   the image. Turned once here, it can be laid on as it is, and shown as it is laid on. */
export function turnKernels(kernels) {
  const turned = new Float32Array(kernels.length);
  for (let i = 0; i < kernels.length; i += TAPS) {
    for (let j = 0; j < TAPS; j++) turned[i + j] = kernels[i + TAPS - 1 - j];
  }
  return turned;
}

export function convolve(input, size, {kernels, biases}, output) {
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
            sum +=
              input[i] * kernels[k] +
              input[i + 1] * kernels[k + 1] +
              input[i + 2] * kernels[k + 2] +
              input[i + 3] * kernels[k + 3] +
              input[i + 4] * kernels[k + 4];
          }
        }
        output[position++] = sum + biases[map];
      }
    }
  }
}

export function rectify(input, output) {
  for (let i = 0; i < input.length; i++) output[i] = input[i] > 0 ? input[i] : 0;
}

export function maxPool(input, size, output) {
  const maps = input.length / (size * size);
  const even = size - (size % 2); // a last row and column without a partner are left out
  let position = 0;
  for (let map = 0; map < maps; map++) {
    for (let row = 0; row < even; row += 2) {
      let i = (map * size + row) * size;
      for (let column = 0; column < even; column += 2, i += 2) {
        output[position++] = Math.max(input[i], input[i + 1], input[i + size], input[i + size + 1]);
      }
    }
  }
}

export function connect(input, {weights, biases}, output) {
  const units = biases.length;
  const sums = Float64Array.from(biases);
  for (let i = 0; i < input.length; i++) {
    const value = input[i];
    if (value === 0) continue; // about half of them, after ReLU
    for (let unit = 0, w = i * units; unit < units; unit++, w++) sums[unit] += value * weights[w];
  }
  output.set(sums);
}

export function softmax(scores, output) {
  const highest = Math.max(...scores); // taken off first: exp() of it cannot overflow
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - highest);
  for (let i = 0; i < scores.length; i++) output[i] = Math.exp(scores[i] - highest) / sum;
}

/* Backward through each of them: the gradient of the output in, the gradient of the input out. */

export function convolveBackward(gradient, size, {kernels, biases}) {
  const channels = kernels.length / biases.length / TAPS;
  const outputSize = size - KERNEL + 1;
  const result = new Float64Array(channels * size * size);
  let position = 0;
  for (let map = 0; map < biases.length; map++) {
    for (let row = 0; row < outputSize; row++) {
      for (let column = 0; column < outputSize; column++) {
        const g = gradient[position++];
        if (g === 0) continue; // most: each pool passes on to one of four
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

export function rectifyBackward(gradient, raw) {
  // Lasagne's rectifier is (x + |x|) / 2, whose slope at exactly 0 is one half
  return gradient.map((g, i) => (raw[i] > 0 ? g : raw[i] === 0 ? g / 2 : 0));
}

export function maxPoolBackward(gradient, input, size, output) {
  const result = new Float64Array(input.length);
  const half = Math.floor(size / 2);
  for (let i = 0; i < input.length; i++) {
    const map = Math.floor(i / (size * size));
    const row = Math.floor(i / size) % size;
    if (row >= 2 * half || i % size >= 2 * half) continue;
    const pooled = (map * half + (row >> 1)) * half + ((i % size) >> 1);
    // Theano hands the gradient to every pixel that ties for the largest
    if (input[i] === output[pooled]) result[i] = gradient[pooled];
  }
  return result;
}

export function connectBackward(gradient, {weights}) {
  const units = gradient.length;
  const result = new Float64Array(weights.length / units);
  for (let i = 0; i < result.length; i++) {
    for (let unit = 0, w = i * units; unit < units; unit++, w++) {
      result[i] += gradient[unit] * weights[w];
    }
  }
  return result;
}
