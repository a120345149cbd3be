/* Arithmetic on planes of numbers, {values, width, height}, row after row: what SciPy has and a
   browser has not. */

export const plane = (values, width, height) => ({values, width, height});

export function transpose({values, width, height}) {
  const turned = new values.constructor(values.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) turned[x * height + y] = values[y * width + x];
  }
  return plane(turned, height, width);
}

/* Rows of `length` numbers, each averaged over `count` equal parts of it. */
export function average(values, length, count) {
  if (length === count) return values;
  const rows = values.length / length;
  const result = new Float64Array(rows * count);
  const sums = new Float64Array(length + 2); // a last one for what is behind
  const edges = Float64Array.from({length: count + 1}, (_, i) => (i * length) / count);
  for (let row = 0; row < rows; row++) {
    for (let x = 0; x < length; x++) sums[x + 1] = sums[x] + values[row * length + x];
    sums[length + 1] = sums[length];
    let before = 0;
    for (let i = 0; i <= count; i++) {
      const whole = Math.min(Math.floor(edges[i]), length);
      const at = sums[whole] + (edges[i] - whole) * (sums[whole + 1] - sums[whole]);
      if (i > 0) result[row * count + i - 1] = ((at - before) * count) / length;
      before = at;
    }
  }
  return result;
}

/* A plane averaged to another width and height. */
export function shrink({values, width, height}, columns, rows) {
  const narrow = plane(average(values, width, columns), columns, height);
  const {values: small} = transpose(narrow);
  return transpose(plane(average(small, height, rows), rows, columns));
}

/* Along the rows, and then along the columns. */
function bothWays(filter, image) {
  return transpose(filter(transpose(filter(image))));
}

/* Means over square windows, of the part that lies in the picture. */
export function mean(image, side) {
  const reach = Math.floor(side / 2);
  return bothWays(({values, width, height}) => {
    const result = new Float64Array(values.length);
    const sums = new Float64Array(width + 1);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) sums[x + 1] = sums[x] + values[y * width + x];
      for (let x = 0; x < width; x++) {
        const high = Math.min(x + reach + 1, width);
        const low = Math.max(x - reach, 0);
        result[y * width + x] = (sums[high] - sums[low]) / (high - low);
      }
    }
    return plane(result, width, height);
  }, image);
}

/* The largest number in square windows; with sign -1 the smallest. */
export function extreme(image, side, sign = 1) {
  const reach = Math.floor(side / 2);
  return bothWays(({values, width, height}) => {
    const result = new Float64Array(values.length);
    const queue = new Int32Array(width); // places whose numbers fall, the largest first
    for (let y = 0; y < height; y++) {
      const start = y * width;
      let first = 0,
        end = 0;
      for (let x = 0; x < width + reach; x++) {
        if (x < width) {
          while (end > first && sign * values[start + queue[end - 1]] <= sign * values[start + x])
            end--;
          queue[end++] = x;
        }
        const middle = x - reach;
        if (middle < 0) continue;
        while (queue[first] < middle - reach) first++;
        result[start + middle] = values[start + queue[first]];
      }
    }
    return plane(result, width, height);
  }, image);
}

/* Medians over square windows; beyond its edge the picture is mirrored. */
export function medians({values, width, height}, side) {
  const reach = Math.floor(side / 2);
  const within = (i, length) => {
    const place = ((i % (2 * length)) + 2 * length) % (2 * length);
    return place < length ? place : 2 * length - 1 - place;
  };
  const window = new Float64Array(side * side);
  return plane(
    Float64Array.from(values, (_, i) => {
      let count = 0;
      for (let dy = -reach; dy <= reach; dy++) {
        const row = within(Math.floor(i / width) + dy, height) * width;
        for (let dx = -reach; dx <= reach; dx++) {
          window[count++] = values[row + within((i % width) + dx, width)];
        }
      }
      return window.sort()[count >> 1];
    }),
    width,
    height,
  );
}

export function quantile(values, share) {
  const order = Float64Array.from(values).sort();
  const place = share * (order.length - 1);
  const low = Math.floor(place);
  const high = Math.min(order.length - 1, low + 1);
  return order[low] + (place - low) * (order[high] - order[low]);
}

/* Connected shapes, diagonal neighbours too: for each pixel the number of its shape, 0 for none;
   and how many there are. */
export function label({values, width, height}) {
  const labels = new Int32Array(values.length);
  const stack = [];
  let count = 0;
  for (let start = 0; start < values.length; start++) {
    if (!(values[start] > 0) || labels[start]) continue;
    labels[start] = ++count;
    stack.push(start);
    while (stack.length) {
      const i = stack.pop();
      const x = i % width;
      const y = (i - x) / width;
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
          const j = row * width + column;
          if (labels[j] || !(values[j] > 0)) continue;
          labels[j] = count;
          stack.push(j);
        }
      }
    }
  }
  return {labels, count};
}

/* The boxes around labelled shapes: {top, left, bottom, right}, the last two behind them. */
export function boxesOf(labels, count, width) {
  const boxes = Array.from({length: count + 1}, () => ({
    top: Infinity,
    left: Infinity,
    bottom: 0,
    right: 0,
  }));
  labels.forEach((number, i) => {
    if (!number) return;
    const box = boxes[number];
    const x = i % width;
    const y = (i - x) / width;
    box.top = Math.min(box.top, y);
    box.left = Math.min(box.left, x);
    box.bottom = Math.max(box.bottom, y + 1);
    box.right = Math.max(box.right, x + 1);
  });
  return boxes;
}

/* A box of a plane, with a margin of zeros around it. */
export function cut({values, width}, {top, left, bottom, right}, margin = 0) {
  const columns = right - left + 2 * margin;
  const rows = bottom - top + 2 * margin;
  const result = new values.constructor(columns * rows);
  for (let y = top; y < bottom; y++) {
    result.set(
      values.subarray(y * width + left, y * width + right),
      (y - top + margin) * columns + margin,
    );
  }
  return plane(result, columns, rows);
}
