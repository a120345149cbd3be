/* What Python put into the page (see embed.py): weights, test digits, and facts about them. */

import {byId} from "./dom.js";
import {LAYERS, inputCount, isInk, shapeLayers} from "../network/layers.js";

const ALPHABET =
  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";

/* Base 85: five letters for four bytes, the first letter counting most; a last group of n letters
   stands for n - 1 bytes. */
function decode85(text) {
  const valueOf = new Uint8Array(128);
  for (let i = 0; i < ALPHABET.length; i++) valueOf[ALPHABET.charCodeAt(i)] = i;
  const bytes = new Uint8Array(Math.floor((text.length * 4) / 5));
  for (let i = 0, j = 0; i < text.length; i += 5, j += 4) {
    let word = 0;
    for (let k = 0; k < 5; k++) {
      word = word * 85 + (i + k < text.length ? valueOf[text.charCodeAt(i + k)] : 84);
    }
    for (let k = 0; k < 4 && j + k < bytes.length; k++)
      bytes[j + k] = (word >>> (24 - 8 * k)) & 255;
  }
  return bytes;
}

async function unpack(name, Type = Uint8Array) {
  const node = byId(`packed-${name}`);
  const stream = new Blob([decode85(node.textContent)])
    .stream()
    .pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  node.remove(); // it has done its service, and is large
  const width = Type.BYTES_PER_ELEMENT;
  const count = planes.length / width;
  const bytes = new Uint8Array(planes.length);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < width; k++) bytes[i * width + k] = planes[k * count + i];
  }
  return new Type(bytes.buffer);
}

/* Of ink on paper a bit for each pixel says whether it has ink, then a byte for each that has says how much. */
function unpackImages(places, levels) {
  const pixels = new Uint8Array(places.length * 8);
  for (let i = 0, next = 0; i < pixels.length; i++) {
    if (places[i >> 3] & (128 >> (i & 7))) pixels[i] = levels[next++];
  }
  return pixels;
}

/* Of pictures without much paper each byte is less its left neighbour's. */
function sumUp(differences) {
  const {size} = LAYERS.input;
  for (let i = 1; i < differences.length; i++) {
    if (i % size) differences[i] += differences[i - 1];
  }
  return differences;
}

/* Weights of six bits, each array of them with a step of its own: see storage/film.py. */
function scaleUp(codes, scales, sizes) {
  const weights = new Float32Array(codes.length);
  let start = 0;
  sizes.forEach((size, k) => {
    for (let i = start; i < start + size; i++) weights[i] = codes[i] * scales[k];
    start += size;
  });
  return weights;
}

/* The mean of the features, two components, and the points of some test pictures. */
function planeOf(numbers) {
  const {pool2, dense} = LAYERS;
  const width = pool2.maps * pool2.size ** 2 + dense.maps;
  const part = (i) => numbers.subarray(i * width, (i + 1) * width);
  const points = [];
  for (let i = 3 * width; i < numbers.length; i += 2) points.push([numbers[i], numbers[i + 1]]);
  return {mean: part(0), components: [part(1), part(2)], points};
}

/* Returns {facts, weights, digitOf, favourites, trust, film}:
   weights: Float32Array of each model; digitOf(i): test digit i as {index, label, pixels};
   favourites: indices of test digits, 9 for each map and unit; film: [{epoch, accuracy, weights}];
   plane: {mean, components, points}; training: training pictures like digitOf's. */
export async function readEmbedded() {
  const facts = JSON.parse(byId("facts").textContent);
  shapeLayers({channels: facts.shape[0], side: facts.shape[1], classes: facts.names.length});
  const weights = await Promise.all(
    facts.models.map((_, i) => unpack(`weights${i}`, Float32Array)),
  );
  const images = isInk()
    ? unpackImages(await unpack("places"), await unpack("levels"))
    : sumUp(await unpack("pixels"));
  const labels = await unpack("labels", Uint16Array);
  const count = inputCount();
  const digitOf = (index) => ({
    index,
    label: labels[index],
    pixels: images.subarray(index * count, (index + 1) * count),
  });
  return {
    facts,
    weights,
    digitOf,
    favourites: await unpack("favourites", Uint16Array),
    plane: planeOf(await unpack("plane", Float32Array)),
    training: Array.from({length: facts.known}, (_, i) => digitOf(facts.count + i)),
    trust: {...facts.trust, table: await unpack("centres")},
    film: await Promise.all(
      facts.film.map(async ({epoch, scales, accuracy}, i) => ({
        epoch,
        accuracy,
        weights: scaleUp(await unpack(`film${i}`, Int8Array), scales, facts.sizes),
      })),
    ),
  };
}
