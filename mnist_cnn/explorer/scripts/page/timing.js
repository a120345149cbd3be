/* How long a frame takes.

   Browsers round their clocks, Firefox to a millisecond or more: one frame may read 0. Which way a
   reading is rounded is chance, so that the mean of many is right. */

const COUNT = 50;

export class Stopwatch {
  constructor() {
    this.times = [];
  }

  /* Run and measure work(). */
  time(work) {
    const start = performance.now();
    work();
    this.times.push(performance.now() - start);
    if (this.times.length > COUNT) this.times.shift();
  }

  /* Milliseconds, on average over the last runs. */
  get mean() {
    return this.times.reduce((sum, time) => sum + time, 0) / Math.max(1, this.times.length);
  }
}
