/* Whether an answer deserves trust: the rule of analysis/trust.py, with its limits. */

import {LAYERS, isInk} from "./layers.js";

const MIN_PROBABILITY = 0.5;

const unit = (vector) => {
  const length = Math.max(Math.hypot(...vector), 1e-9);
  return Float32Array.from(vector, (value) => value / length);
};

/* The inputs and the outputs of the last hidden layer, each of length 1, together too. */
export const featuresOf = ({values}) => unit([...unit(values.pool2), ...unit(values.dense)]);

export class Trust {
  /* table: for each class `centres` vectors of features, as bytes. */
  constructor({maxDistance, maxInk, centres, table}) {
    const count = LAYERS.output.maps * centres;
    const width = table.length / count;
    Object.assign(this, {maxDistance, maxInk, centres});
    this.vectors = Array.from({length: count}, (_, i) => {
      const vector = table.subarray(i * width, (i + 1) * width);
      return vector.some((value) => value > 0) ? unit(vector) : new Float32Array(width);
    });
  }

  /* One minus the cosine to the nearest centre of a class. */
  distance(network, digit) {
    const features = featuresOf(network);
    let nearest = -1;
    for (const vector of this.vectors.slice(digit * this.centres, (digit + 1) * this.centres)) {
      let cosine = 0;
      for (let i = 0; i < vector.length; i++) cosine += vector[i] * features[i];
      nearest = Math.max(nearest, cosine);
    }
    return 1 - nearest;
  }

  /* Why the network's last answer deserves no trust, in a few words; "" where it does. */
  doubt(network, names) {
    const {input, output} = network.values;
    const best = output.indexOf(Math.max(...output));
    if (output[best] < MIN_PROBABILITY) return "no class has half of the probability";
    if (input.reduce((sum, value) => sum + value, 0) > this.maxInk)
      return isInk() ? "more ink than known pictures have" : "brighter than the known pictures";
    return this.distance(network, best) > this.maxDistance
      ? `unlike known pictures of ${names[best]}`
      : "";
  }
}
