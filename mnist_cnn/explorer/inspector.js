/* The inspector: one value of one map, and the sum that made it.

   A selection is {layer, map, row, column, channel}; channel (null for "the one that counts
   most") is the map of the layer below whose share is spelled out. */

class Inspector {
  /* onPixel(row, column, keep) and onChannel(channel, keep) report what is pointed at. */
  constructor({heading, about, body}, network, palette, {onPixel, onChannel, onLeave}) {
    Object.assign(this, {heading, about, body, network, palette, onPixel, onChannel, onLeave});
    this.equation = element("p", {className: "equation", id: "equation"});
    this.layer = null;
  }

  /* scale: the number that gets full colour, for the values and the raw sums of each layer. */
  show(selection, scale, showRaw) {
    if (selection.layer !== this.layer) this.build(selection.layer);
    this.selection = selection;
    this.scale = scale;
    this.showRaw = showRaw;
    this.heading.replaceChildren(...this.title(selection));
    const kind = selection.layer === "output" ? "output" : LAYERS[selection.layer].kind || "input";
    this[`update_${kind}`](selection);
  }

  title({layer, map, row, column}) {
    const place = ` row ${row}, column ${column}`;
    const name = document.getElementById(`title-${layer}`).textContent;
    const rest = {
      input: `pixel in${place}`,
      dense: `unit ${map}`,
      output: `digit ${map}`,
    }[layer] || `map ${map}, pixel in${place}`;
    return [name, element("span", {}, rest)];
  }

  /* --- building, when another layer is selected --- */

  build(layer) {
    this.layer = layer;
    const {kind, below, size} = LAYERS[layer];
    this.about.textContent =
      document.querySelector(`[data-layer=${layer}] .about`).textContent;
    this.body.dataset.shown = layer;
    this.grids = {};
    const parts = [];
    const middle = (...grids) => parts.push(element("div", {className: "middle"},
      element("div", {className: "grids"}, ...grids), this.equation));
    const sign = (textContent) => element("span", {className: "sign", textContent});
    if (layer === "output") {
      middle(...this.buildContributions());
      parts.push(this.buildSoftmax());
    } else if (layer === "input") {
      this.extent = element("i", {className: "extent"});
      this.centre = element("i", {className: "centre", textContent: "+"});
      const here = this.buildHere(size);
      here.lastChild.append(this.extent, this.centre);
      parts.push(here);
      middle(this.buildGrid("input", "Bytes around it", 7));
    } else {
      if (kind !== "pooling" && LAYERS[below].maps > 1) parts.push(this.buildChannels(below));
      parts.push(this.buildBelow(below));
      const width = kind === "pooling" ? 2 : kind === "dense" ? LAYERS[below].size : KERNEL;
      const values = this.buildGrid("input", "Values in the frame", width);
      if (kind === "pooling") {
        middle(values);
      } else {
        middle(values, sign("×"),
               this.buildGrid("kernel", kind === "dense" ? "Weights" : "Kernel", width), sign("="),
               this.buildGrid("product", "Products", width));
      }
      if (size > 1) parts.push(this.buildHere(size));
    }
    this.body.replaceChildren(...parts);
  }

  figure(className, caption, ...children) {
    const node = element("figure", {className}, element("figcaption", {}, caption),
                         element("div", {className: "frame"}, ...children));
    return node;
  }

  buildBelow(below) {
    const canvas = element("canvas");
    this.below = {picture: new Picture(canvas, LAYERS[below].size),
                  box: element("i", {className: "box"})};
    const figure = this.figure("below", "", canvas, this.below.box);
    this.below.caption = figure.firstChild;
    return figure;
  }

  buildHere(size) {
    const canvas = element("canvas", {id: "here", tabIndex: 0});
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", "Pixels of this map: choose with the arrow keys");
    this.here = {picture: new Picture(canvas, size), size, box: element("i", {className: "box"})};
    const pixelAt = (event) => {
      const box = canvas.getBoundingClientRect();
      const within = (value) => Math.max(0, Math.min(size - 1, Math.floor(value * size)));
      return [within((event.clientY - box.top) / box.height),
              within((event.clientX - box.left) / box.width)];
    };
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") this.onPixel(...pixelAt(event), false);
    });
    canvas.addEventListener("pointerleave", () => this.onLeave());
    canvas.addEventListener("click", (event) => this.onPixel(...pixelAt(event), true));
    canvas.addEventListener("keydown", (event) => {
      const moves = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
      if (!(event.key in moves)) return;
      event.preventDefault();
      const within = (value) => Math.max(0, Math.min(size - 1, value));
      const [down, right] = moves[event.key];
      this.onPixel(within(this.selection.row + down), within(this.selection.column + right), true);
    });
    const figure = this.figure("here", "", canvas, this.here.box);
    this.here.caption = figure.firstChild;
    return figure;
  }

  /* A table of numbers; the same cell lights up in all of them. */
  buildGrid(name, caption, width) {
    const cells = [];
    const rows = Array.from({length: width}, () => element("tr", {},
      ...Array.from({length: width}, () => {
        const index = cells.length;
        const cell = element("td");
        cell.addEventListener("pointerenter", () => this.light(index));
        cell.addEventListener("pointerleave", () => this.light(null));
        cells.push(cell);
        return cell;
      })));
    const title = element("caption", {textContent: caption});
    this.grids[name] = {cells, title};
    return element("table", {className: `grid grid-${name}`}, title,
                   element("tbody", {}, ...rows));
  }

  light(index) {
    for (const {cells} of Object.values(this.grids)) {
      cells.forEach((cell, i) => cell.classList.toggle("lit", i === index));
    }
  }

  buildChannels(below) {
    this.channels = Array.from({length: LAYERS[below].maps}, (_, channel) => {
      const button = element("button", {type: "button"});
      button.addEventListener("pointerenter", (event) => {
        if (event.pointerType !== "touch") this.onChannel(channel, false);
      });
      button.addEventListener("click", () => this.onChannel(channel, true));
      button.addEventListener("focus", () => {
        if (button.matches(":focus-visible")) this.onChannel(channel, true);
      });
      return button;
    });
    const figure = this.figure("channels", "Sum over each map below", ...this.channels);
    figure.addEventListener("pointerleave", () => this.onLeave());
    roveFocus(figure.lastChild, this.channels);
    return figure;
  }

  buildContributions() {
    const canvas = element("canvas");
    this.contributions = new Picture(canvas, 32, 8);
    this.strongest = element("tbody");
    const head = element("tr", {}, ...["unit", "value", "× weight", "= share"].map(
      (textContent) => element("th", {textContent, scope: "col"})));
    return [
      this.figure("units", "Share of each of the 256 units", canvas),
      element("table", {className: "list"},
              element("caption", {textContent: "The six that count most"}),
              element("thead", {}, head), this.strongest)];
  }

  buildSoftmax() {
    this.softmax = element("tbody");
    const head = element("tr", {}, ...["digit", "score", "e^score", "probability"].map(
      (textContent) => element("th", {textContent, scope: "col"})));
    return element("table", {className: "list softmax"},
                   element("caption", {textContent: "Softmax: scores made into probabilities"}),
                   element("thead", {}, head), this.softmax);
  }

  /* --- filling in, at every frame --- */

  fill(name, values, scale, digits) {
    this.grids[name].cells.forEach((cell, i) => {
      const value = values[i];
      const text = Number.isNaN(value) ? "" : number(value, digits);
      if (cell.textContent !== text) cell.textContent = text;
      cell.style.setProperty("--t", Number.isNaN(value) ? 0 : Math.min(1, Math.abs(value) / scale));
      cell.classList.toggle("negative", value < 0);
    });
  }

  place(box, row, column, count, size) {
    box.style.cssText = `left:${100 * column / size}%;top:${100 * row / size}%;` +
                        `width:${100 * count / size}%;height:${100 * count / size}%`;
  }

  paint(picture, layer, map, raw = false) {
    const {size} = LAYERS[layer];
    const kind = raw ? "raw" : "values";
    const values = this.network[kind][layer];
    if (layer === "input") picture.paintInk(values.map((value) => 256 * value), this.palette.ink);
    else picture.paintSigned(values, map * size * size, this.scale[kind][layer], this.palette.signed);
  }

  paintBelow(channel, row, column, count) {
    const {below} = LAYERS[this.layer];
    this.paint(this.below.picture, below, channel);
    this.place(this.below.box, row, column, count, LAYERS[below].size);
    this.below.caption.textContent = below === "input" ? "Input"
      : `${document.getElementById(`title-${below}`).textContent}, map ${channel}`;
  }

  paintHere({layer, map, row, column}) {
    this.paint(this.here.picture, layer, map, this.showRaw && LAYERS[layer].kind === "convolution");
    this.place(this.here.box, row, column, 1, this.here.size);
    this.here.caption.textContent = layer === "input" ? "28 × 28 pixels, and where the ink lies"
                                                      : `Map ${map}`;
  }

  write(...terms) {
    this.equation.replaceChildren(...terms.map((term) => typeof term === "string"
      ? element("span", {className: "sign", textContent: term})
      : element("span", {className: term.result ? "term result" : "term"},
                element("small", {}, term.name), element("b", {}, term.value))));
  }

  update_convolution(selection) {
    this.updateSum(selection, `pixel (${selection.row}, ${selection.column})`);
    this.paintHere(selection);
  }

  update_dense(selection) {
    this.updateSum(selection, `unit ${selection.map}`);
  }

  updateSum({layer, map, row, column, channel}, name) {
    const terms = this.network.terms(layer, map, row, column, channel);
    this.paintBelow(terms.channel, terms.row, terms.column, terms.width);
    const largest = (values) => values.reduce((best, v) => Math.max(best, Math.abs(v)), 1e-6);
    const below = LAYERS[layer].below;
    this.fill("input", terms.patch, below === "input" ? 1 : this.scale.values[below], 2);
    this.grids.input.cells[0].closest("table").classList.toggle("inked", below === "input");
    this.fill("kernel", terms.kernel, largest(terms.kernel), 2);
    this.fill("product", terms.products, largest(terms.products), 2);

    const count = terms.width ** 2;
    const sum = terms.sums[terms.channel];
    const parts = [];
    if (terms.sums.length > 1) {
      const scale = largest(terms.sums);
      this.channels.forEach((button, c) => {
        const text = number(terms.sums[c], 2);
        if (button.textContent !== text) button.textContent = text;
        button.style.setProperty("--t", Math.abs(terms.sums[c]) / scale);
        button.classList.toggle("negative", terms.sums[c] < 0);
        button.classList.toggle("chosen", c === terms.channel);
        button.setAttribute("aria-label", `Map ${c} below: ${text}`);
        button.setAttribute("aria-pressed", c === terms.channel);
      });
      const others = terms.sums.reduce((total, value) => total + value, 0) - sum;
      parts.push({name: `map ${terms.channel}: ${count} products`, value: number(sum, 3)}, "+",
                 {name: `the ${terms.sums.length - 1} other maps`, value: number(others, 3)});
    } else {
      parts.push({name: `${count} products`, value: number(sum, 3)});
    }
    this.write(...parts, "+", {name: "bias", value: number(terms.bias, 3)}, "=",
               {name: "raw sum", value: number(terms.raw, 3), result: this.showRaw}, "→ ReLU →",
               {name, value: number(Math.max(0, terms.raw), 3), result: !this.showRaw});
  }

  update_pooling(selection) {
    const {layer, map, row, column} = selection;
    const {below, size} = LAYERS[layer];
    const side = LAYERS[below].size;
    const values = [0, 1, side, side + 1].map(
      (i) => this.network.values[below][(map * side + 2 * row) * side + 2 * column + i]);
    const largest = Math.max(...values);
    this.paintBelow(map, 2 * row, 2 * column, 2);
    this.fill("input", values, this.scale.values[below], 3);
    this.grids.input.cells.forEach((cell, i) =>
      cell.classList.toggle("winner", values[i] === largest && largest > 0));
    this.paintHere(selection);
    this.write({name: "largest of four", value: `max(${values.map((v) => number(v, 3)).join(", ")})`},
               "=", {name: `pixel (${row}, ${column})`, result: true, value:
                     number(this.network.values[layer][(map * size + row) * size + column], 3)});
  }

  update_input(selection) {
    const {row, column} = selection;
    const bytes = this.network.values.input.map((value) => Math.round(256 * value));
    this.paintHere(selection);
    const around = Array.from({length: 49}, (_, i) => {
      const y = row + Math.floor(i / 7) - 3;
      const x = column + i % 7 - 3;
      return y >= 0 && y < SIDE && x >= 0 && x < SIDE ? bytes[y * SIDE + x] : NaN;
    });
    this.fill("input", around, 255, 0);
    const table = this.grids.input.cells[0].closest("table");
    table.classList.add("inked", "bytes");
    this.grids.input.cells[24].classList.add("winner");
    const byte = bytes[row * SIDE + column];
    this.placeInk(bytes);
    this.write({name: "byte", value: String(byte)}, "÷", {name: "levels", value: "256"},
               "=", {name: `pixel (${row}, ${column})`, value: number(byte / 256, 3), result: true});
  }

  /* The frame round all ink, and a cross at its centre of mass. */
  placeInk(bytes) {
    let mass = 0, massX = 0, massY = 0;
    let top = SIDE, bottom = -1, left = SIDE, right = -1;
    bytes.forEach((byte, i) => {
      if (byte === 0) return;
      const x = i % SIDE;
      const y = Math.floor(i / SIDE);
      [mass, massX, massY] = [mass + byte, massX + byte * x, massY + byte * y];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
      [left, right] = [Math.min(left, x), Math.max(right, x)];
    });
    this.extent.hidden = this.centre.hidden = mass === 0;
    const share = (value) => `${100 * value / SIDE}%`;
    Object.assign(this.extent.style, {
      left: share(left), top: share(top),
      width: share(right - left + 1), height: share(bottom - top + 1)});
    Object.assign(this.centre.style, {
      left: share(massX / mass + .5), top: share(massY / mass + .5)});
  }

  update_output({layer, map}) {
    const {sums, bias, raw} = this.network.terms(layer, map, 0, 0, 0);
    const largest = sums.reduce((best, v) => Math.max(best, Math.abs(v)), 1e-6);
    this.contributions.paintSigned(sums, 0, largest, this.palette.signed);
    const {dense, output} = this.network.values;
    const order = [...sums.keys()].sort((a, b) => Math.abs(sums[b]) - Math.abs(sums[a]));
    this.strongest.replaceChildren(...order.slice(0, 6).map((unit) => {
      const cells = [String(unit), number(dense[unit]),
                     number(this.network.output.weights[unit * 10 + map]), number(sums[unit])];
      const row = element("tr", {}, ...cells.map((textContent) => element("td", {textContent})));
      row.lastChild.className = sums[unit] < 0 ? "less" : "more";
      return row;
    }));
    const scores = this.network.raw.output;
    this.softmax.replaceChildren(...Array.from(scores, (score, digit) => {
      const power = Math.exp(score);
      const cells = [String(digit), number(score),
                     power >= 1e5 || power < .01 ? power.toExponential(1) : number(power),
                     percent(output[digit])];
      const row = element("tr", {}, ...cells.map((textContent) => element("td", {textContent})));
      row.classList.toggle("chosen", digit === map);
      return row;
    }));
    const sum = sums.reduce((total, value) => total + value, 0);
    this.write({name: "256 shares", value: number(sum, 3)}, "+",
               {name: "bias", value: number(bias, 3)}, "=",
               {name: "score", value: number(raw, 3)}, "→ softmax →",
               {name: `digit ${map}`, value: percent(output[map]), result: true});
  }
}

/* One stop for Tab among many buttons, and arrow keys between them. */
function roveFocus(container, nodes) {
  nodes.forEach((node, i) => node.tabIndex = i === 0 ? 0 : -1);
  container.addEventListener("focusin", (event) => {
    if (!nodes.includes(event.target)) return;
    for (const node of nodes) node.tabIndex = node === event.target ? 0 : -1;
  });
  container.addEventListener("keydown", (event) => {
    const current = nodes.indexOf(event.target);
    if (current < 0) return;
    const top = nodes[0].offsetTop;
    const columns = nodes.filter((node) => node.offsetTop === top).length;
    const moves = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns,
                   Home: -current, End: nodes.length - 1 - current};
    if (!(event.key in moves)) return;
    event.preventDefault();
    const next = nodes[current + moves[event.key]];
    if (next) next.focus();
  });
}
