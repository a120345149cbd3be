/* The pixels of a picture that may be larger than a canvas, strip by strip. */

const STRIP = 2 ** 20; // pixels that are drawn at once
const MOST_COLUMNS = 4096; // of a canvas

const rest = () => new Promise((done) => setTimeout(done));

/* Call use(data, start, rows) for each strip from the top: RGBA bytes of whole rows, over `ground`,
   a colour or null; of so many rows that `unit` divides, but for the last. */
export async function eachStrip(bitmap, unit, ground, use) {
  const {width, height} = bitmap;
  const step = unit * Math.max(1, Math.floor(STRIP / width / unit));
  for (let start = 0; start < height; start += step) {
    const rows = Math.min(step, height - start);
    use(drawRows(bitmap, start, rows, ground), start, rows);
    if (start) await rest(); // a hand may draw meanwhile
  }
}

function drawRows(bitmap, start, rows, ground) {
  const {width} = bitmap;
  const whole = new Uint8ClampedArray(4 * rows * width);
  for (let left = 0; left < width; left += MOST_COLUMNS) {
    const columns = Math.min(MOST_COLUMNS, width - left);
    const canvas = Object.assign(document.createElement("canvas"), {width: columns, height: rows});
    const context = canvas.getContext("2d", {willReadFrequently: true});
    if (ground) {
      context.fillStyle = ground;
      context.fillRect(0, 0, columns, rows);
    }
    context.drawImage(bitmap, -left, -start);
    const {data} = context.getImageData(0, 0, columns, rows);
    for (let row = 0; row < rows; row++) {
      whole.set(
        data.subarray(4 * row * columns, 4 * (row + 1) * columns),
        4 * (row * width + left),
      );
    }
  }
  return whole;
}
