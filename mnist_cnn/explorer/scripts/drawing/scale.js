/* The number that gets full colour, for each layer. */

const KINDS = ["values", "raw"];

/* About the largest numbers that test digits reach. They are the same for every drawing, so that
   a fainter map is one that found less. Raw sums have scales of their own: those below zero go
   further than those above. */
export function measureScale(network, inputs) {
  const scale = {};
  for (const kind of KINDS) {
    scale[kind] = {};
    for (const layer of Object.keys(network[kind])) scale[kind][layer] = 1e-6;
  }
  for (const input of inputs) {
    network.forward(input);
    for (const kind of KINDS) {
      for (const [layer, numbers] of Object.entries(network[kind])) {
        const largest = numbers.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
        scale[kind][layer] += (0.8 * largest) / inputs.length;
      }
    }
  }
  return scale;
}
