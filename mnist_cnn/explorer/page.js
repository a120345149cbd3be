/* The page: stages built, events wired, one frame drawn when something changed. */

const $ = (id) => document.getElementById(id);
const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

const network = new Network(new Float32Array(bytesOf($("weights").textContent).buffer));
const digits = JSON.parse($("digits").textContent)
  .map((digit) => ({...digit, pixels: bytesOf(digit.image)}));
const palette = new Palette();
const narrow = matchMedia("(max-width: 1179px)");

const scaled = (bytes) => Float32Array.from(bytes, (byte) => byte / 256);

/* The number that gets full colour, for each layer: about the largest that the test digits reach.
   It is the same for every drawing, so that a fainter map is one that found less. Raw sums have
   scales of their own: those below zero go further than those above. */
const scale = {values: {}, raw: {}};
for (const kind of ["values", "raw"]) {
  for (const layer of Object.keys(network[kind])) scale[kind][layer] = 1e-6;
}
for (const {pixels} of digits) {
  network.forward(scaled(pixels));
  for (const kind of ["values", "raw"]) {
    for (const [layer, numbers] of Object.entries(network[kind])) {
      const largest = numbers.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
      scale[kind][layer] += .8 * largest / digits.length;
    }
  }
}

/* --- what the page shows --- */

const selectionOf = (layer, map, row, column) => ({layer, map, row, column, channel: null});

let kept = selectionOf("conv1", 0, 0, 0);  // by click, tap or keyboard
let pointed = null;                        // under the pointer, while it is there
let showRaw = false;
let showSaliency = false;
let input = null;                          // as Pad.read returns it
let inputChanged = true;
let scheduled = false;
const timing = {forward: 0, frame: 0, frames: 0};

const selected = () => pointed || kept;

function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(draw);
}

function select(selection, keep) {
  if (keep) {
    kept = selection;
    pointed = null;
    moveInspector();
  } else if (!narrow.matches || selection.layer === kept.layer) {
    // on a narrow page the inspector stands among the stages: pointing at another one's map must
    // not change its height, and so move the map away from under the pointer
    pointed = selection;
  }
  schedule();
}

/* The place of a map's largest value: what to look at when nobody points at a pixel. */
function strongest(layer, map) {
  const {size} = LAYERS[layer];
  const values = network.values[layer].subarray(map * size * size, (map + 1) * size * size);
  const best = values.reduce((top, value, i) => value > values[top] ? i : top, 0);
  return selectionOf(layer, map, Math.floor(best / size), best % size);
}

/* --- stages --- */

const stages = {};

for (const [layer, {maps, size}] of Object.entries(LAYERS)) {
  const section = document.querySelector(`[data-layer=${layer}]`);
  const container = section.querySelector(".maps");
  const name = section.querySelector("h2").textContent;
  const stage = stages[layer] = {section, container, nodes: [], pictures: []};
  if (layer === "dense") {
    buildUnits(stage);
  } else if (layer === "output") {
    buildBars(stage);
  } else {
    for (let map = 0; map < maps; map++) {
      const canvas = element("canvas");
      const node = element("button", {type: "button", className: "map"}, canvas);
      node.setAttribute("aria-label", maps > 1 ? `${name}, map ${map}` : `${name}, what the network sees`);
      stage.nodes.push(node);
      stage.pictures.push(new Picture(canvas, size));
      container.append(node);
      wireMap(node, canvas, layer, map, size);
    }
  }
  if (layer === "input") {
    const canvas = element("canvas", {className: "overlay"});
    stage.overlay = new Picture(canvas, SIDE);
    stage.nodes[0].append(canvas);
  }
  if (stage.nodes.length > 1) roveFocus(container, stage.nodes);
  stage.box = element("i", {className: "box"});
  container.addEventListener("pointerleave", () => {
    pointed = null;
    schedule();
  });
}

function wireMap(node, canvas, layer, map, size) {
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const within = (value) => Math.max(0, Math.min(size - 1, Math.floor(value * size)));
    return selectionOf(layer, map, within((event.clientY - box.top) / box.height),
                       within((event.clientX - box.left) / box.width));
  };
  node.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") select(at(event), false);
  });
  node.addEventListener("focus", () => {
    if (node.matches(":focus-visible")) select(strongest(layer, map), true);
  });
  node.addEventListener("click", (event) => {
    if (event.detail === 0) {  // Enter or Space: on to the pixels
      select(strongest(layer, map), true);
      draw();
      const here = $("here");
      if (here) here.focus();
    } else {
      select(at(event), true);
    }
  });
}

/* 256 units are one canvas: too many, and too small, for buttons. */
function buildUnits(stage) {
  const canvas = element("canvas", {tabIndex: 0});
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "256 units: choose with the arrow keys");
  const lay = () => {
    stage.columns = narrow.matches ? 32 : 8;
    stage.pictures[0] = new Picture(canvas, stage.columns, 256 / stage.columns);
  };
  lay();
  narrow.addEventListener("change", () => {
    lay();
    refresh();
  });
  const frame = element("div", {className: "unit-grid"}, canvas);
  stage.nodes.push(frame);
  stage.container.append(frame);
  const unitAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const within = (value, count) => Math.max(0, Math.min(count - 1, Math.floor(value * count)));
    return within((event.clientY - box.top) / box.height, 256 / stage.columns) * stage.columns +
           within((event.clientX - box.left) / box.width, stage.columns);
  };
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") select(selectionOf("dense", unitAt(event), 0, 0), false);
  });
  canvas.addEventListener("click", (event) =>
    select(selectionOf("dense", unitAt(event), 0, 0), true));
  canvas.addEventListener("focus", () => {
    if (canvas.matches(":focus-visible") && kept.layer !== "dense") {
      const best = network.values.dense.reduce(
        (top, value, i, all) => value > all[top] ? i : top, 0);
      select(selectionOf("dense", best, 0, 0), true);
    }
  });
  canvas.addEventListener("keydown", (event) => {
    const moves = {ArrowLeft: -1, ArrowRight: 1,
                   ArrowUp: -stage.columns, ArrowDown: stage.columns};
    if (!(event.key in moves)) return;
    event.preventDefault();
    const unit = kept.map + moves[event.key];
    if (unit >= 0 && unit < 256) select(selectionOf("dense", unit, 0, 0), true);
  });
}

function buildBars(stage) {
  stage.bars = Array.from({length: 10}, (_, digit) => {
    const bar = element("i", {className: "bar"});
    const text = element("span", {className: "percent"});
    const node = element("button", {type: "button", className: "answer-bar"},
                         element("b", {}, String(digit)), element("span", {className: "track"}, bar),
                         text);
    const selection = () => selectionOf("output", digit, 0, 0);
    node.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") select(selection(), false);
    });
    node.addEventListener("click", () => select(selection(), true));
    node.addEventListener("focus", () => {
      if (node.matches(":focus-visible")) select(selection(), true);
    });
    stage.nodes.push(node);
    stage.container.append(node);
    return {node, bar, text};
  });
}

const glance = Array.from({length: 10}, (_, digit) => {
  const bar = element("i");
  const node = element("span", {}, element("em", {}, bar), String(digit));
  $("glance").append(node);
  return {node, bar};
});

/* --- pad, gallery, switches --- */

const pad = new Pad($("ink"), $("pen"), () => {
  inputChanged = true;
  schedule();
});
const overlay = new Picture($("pad-overlay"), SIDE);

$("undo").addEventListener("click", () => pad.undo());
$("clear").addEventListener("click", () => pad.clear());
$("brush").addEventListener("input", (event) => pad.brush = Number(event.target.value));
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
    event.preventDefault();
    pad.undo();
  }
});

const thumbs = digits.map((digit) => {
  const canvas = element("canvas");
  const caption = digit.mistake ? `${digit.label} \u2192 ${digit.answer}` : "";
  const node = element("button", {type: "button", className: "thumb"}, canvas,
                       ...(caption ? [element("span", {}, caption)] : []));
  const text = digit.mistake
    ? `Test digit ${digit.index}: a ${digit.label}, which the network took for a ` +
      `${digit.answer} with ${percent(digit.confidence)}`
    : `Test digit ${digit.index}: a ${digit.label}`;
  node.title = text;
  node.setAttribute("aria-label", text);
  node.addEventListener("click", () => pad.pick(digit));
  return {digit, node, picture: new Picture(canvas, SIDE)};
});
for (const [title, mistake] of [["Real test digits", false], ["Its worst mistakes", true]]) {
  const nodes = thumbs.filter(({digit}) => digit.mistake === mistake).map(({node}) => node);
  if (nodes.length === 0) continue;
  const row = element("div", {className: "thumbs"}, ...nodes);
  $("gallery").append(element("div", {className: "shelf"},
                              element("h2", {textContent: title}), row));
  roveFocus(row, nodes);
}

for (const radio of document.querySelectorAll("[name=values]")) {
  radio.addEventListener("change", () => {
    showRaw = radio.value === "raw" && radio.checked;
    refresh();
  });
}
$("saliency").addEventListener("change", (event) => {
  showSaliency = event.target.checked;
  refresh();
});

/* Everything painted anew, as after a change of colours. */
function refresh() {
  inputChanged = true;
  schedule();
}

const systemDark = matchMedia("(prefers-color-scheme: dark)");

function recolour() {
  const chosen = document.documentElement.dataset.theme;
  const dark = chosen ? chosen === "dark" : systemDark.matches;
  $("theme").setAttribute("aria-pressed", dark);
  $("theme").title = dark ? "Light colours" : "Dark colours";
  palette.refresh();
  pad.redraw(palette);
  for (const {digit, picture} of thumbs) picture.paintInk(digit.pixels, palette.ink);
  refresh();
}

$("theme").addEventListener("click", () => {
  const dark = $("theme").getAttribute("aria-pressed") === "true";
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  recolour();
});
systemDark.addEventListener("change", recolour);

/* --- inspector --- */

const inspector = new Inspector(
  {heading: $("inspected"), about: $("inspected-about"), body: $("sum")}, network, palette, {
    onPixel: (row, column, keep) => select({...selected(), row, column}, keep),
    onChannel: (channel, keep) => select({...selected(), channel}, keep),
    onLeave: () => {
      pointed = null;
      schedule();
    },
  });

/* On a narrow page the inspector opens under the stage that it is about. */
function moveInspector() {
  const {section} = stages[kept.layer];
  const home = document.querySelector("main");
  if (narrow.matches ? section.nextElementSibling === $("inspector")
                     : $("inspector").parentNode === home) return;
  const before = section.getBoundingClientRect().top;
  const focus = document.activeElement;
  if (narrow.matches) section.after($("inspector"));
  else home.append($("inspector"));
  if (focus !== document.activeElement) focus.focus();
  // what was tapped stays under the finger
  if (narrow.matches) scrollBy(0, section.getBoundingClientRect().top - before);
}
narrow.addEventListener("change", moveInspector);

/* --- one frame --- */

function draw() {
  const start = performance.now();
  scheduled = false;
  if (inputChanged) {
    inputChanged = false;
    input = pad.read();
    const begin = performance.now();
    network.forward(scaled(input.pixels));
    timing.forward = performance.now() - begin;
    paintStages();
    paintSaliency();
    paintAnswer();
  }
  inspector.show(selected(), scale, showRaw);
  mark();
  timing.frame = performance.now() - start;
  timing.frames++;
  $("timing").textContent =
    `${number(timing.forward, 1)} ms for the forward pass, ${number(timing.frame, 1)} ms for all that is drawn.`;
}

function paintStages() {
  for (const [layer, {pictures}] of Object.entries(stages)) {
    if (layer === "output") continue;
    const {size} = LAYERS[layer];
    if (layer === "input") {
      pictures[0].paintInk(input.pixels, palette.ink);
      continue;
    }
    const kind = showRaw && layer in network.raw ? "raw" : "values";
    pictures.forEach((picture, map) => picture.paintSigned(
      network[kind][layer], map * size * size, scale[kind][layer], palette.signed));
  }
}

/* The digit whose score the saliency is of: the one that is kept selected, else the answer. */
function salientDigit() {
  const {output} = network.values;
  return kept.layer === "output" ? kept.map : output.indexOf(Math.max(...output));
}

function paintSaliency() {
  const shown = showSaliency && !pad.isEmpty;
  document.body.classList.toggle("with-saliency", shown);
  if (!shown) {
    overlay.clear();
    stages.input.overlay.clear();
    return;
  }
  const digit = salientDigit();
  const gradient = network.saliency(digit);
  $("salient").textContent = digit;
  const largest = gradient.reduce((best, value) => Math.max(best, Math.abs(value)), 1e-6);
  overlay.paintSigned(gradient, 0, largest, palette.overlay);
  stages.input.overlay.paintSigned(gradient, 0, largest, palette.overlay);
  // the 28 x 28 pixels laid where on the pad they came from
  const {scaleX, scaleY, shiftX, shiftY} = input;
  const share = (units) => `${100 * units / PAD}%`;
  Object.assign($("pad-overlay").style, {
    left: share(-shiftX / scaleX), top: share(-shiftY / scaleY),
    width: share(SIDE / scaleX), height: share(SIDE / scaleY)});
}

let spoken = 0;

function paintAnswer() {
  const {output} = network.values;
  const best = output.indexOf(Math.max(...output));
  stages.output.bars.forEach(({node, bar, text}, digit) => {
    bar.style.transform = `scaleX(${output[digit]})`;
    text.textContent = percent(output[digit]);
    node.classList.toggle("best", digit === best);
    node.setAttribute("aria-label", `${digit}: ${percent(output[digit])}`);
  });
  glance.forEach(({node, bar}, digit) => {
    bar.style.transform = `scaleY(${output[digit]})`;
    node.classList.toggle("best", digit === best);
  });
  const {digit, strokes, isExample} = pad.state;
  document.body.classList.toggle("empty", pad.isEmpty);
  $("hint").hidden = !(isExample || pad.isEmpty);
  $("undo").disabled = !pad.canUndo;
  $("clear").disabled = pad.isEmpty;
  $("verdict-digit").textContent = pad.isEmpty ? "?" : best;
  let text = pad.isEmpty ? "nothing drawn" : percent(output[best]);
  if (digit && strokes.length === 0 && digit.label !== best) text += `, but it is a ${digit.label}`;
  $("verdict-text").textContent = text;
  $("glance").dataset.answer = pad.isEmpty ? "?" : best;
  for (const thumb of thumbs) {
    thumb.node.setAttribute("aria-pressed", thumb.digit === digit && strokes.length === 0);
  }
  clearTimeout(spoken);  // said once the hand rests
  spoken = setTimeout(() => $("spoken").textContent = pad.isEmpty
    ? "The pad is empty" : `The network sees a ${best}: ${text}`, 700);
}

/* Outlines, receptive field, and the lines from the layer below.

   Where they are is found out only when the selection changes, for asking makes the browser lay
   out the page; while a hand draws, only the strength of the lines follows. */

const marked = {key: "", nodes: [], lines: []};

function mark() {
  const selection = selected();
  const {layer, map, row, column} = selection;
  const {kind} = LAYERS[layer];
  const terms = kind === "convolution" || kind === "dense"
    ? network.terms(layer, map, row, column, selection.channel) : {channel: map, sums: []};
  const {sums} = terms;
  const byStrength = (a, b) => Math.abs(sums[b]) - Math.abs(sums[a]);
  // of the 256 units only those that count most
  const sources = sums.length > 32 ? [...sums.keys()].sort(byStrength).slice(0, 24)
    : sums.length > 1 ? [...sums.keys()] : [];
  const key = [layer, map, row, column, terms.channel, layer === "output" ? sources : "",
               narrow.matches].join();
  if (key !== marked.key) {
    marked.key = key;
    placeMarks(selection, terms.channel, sources);
  }
  const largest = sums.reduce((best, sum) => Math.max(best, Math.abs(sum)), 1e-6);
  marked.lines.forEach((line, i) => {
    const sum = sums[sources[i]];
    line.setAttribute("class", sum < 0 ? "line negative" : "line");
    line.setAttribute("opacity", (.75 * Math.abs(sum) / largest).toFixed(2));
  });
}

function placeMarks({layer, map, row, column}, channel, sources) {
  for (const node of marked.nodes.splice(0)) node.classList.remove("selected", "source");
  for (const {box} of Object.values(stages)) box.remove();
  const {size, below, kind} = LAYERS[layer];
  const stage = stages[layer];
  const outline = (node, name) => {
    node.classList.add(name);
    marked.nodes.push(node);
  };
  const place = (box, node, y, x, height, width, rows, columns) => {
    box.style.cssText = `left:${100 * x / columns}%;top:${100 * y / rows}%;` +
                        `width:${100 * width / columns}%;height:${100 * height / rows}%`;
    node.append(box);
  };
  const {columns} = stages.dense;
  const placeUnit = (box, unit) => place(box, stages.dense.nodes[0], Math.floor(unit / columns),
                                         unit % columns, 1, 1, 256 / columns, columns);

  if (layer === "dense") {
    placeUnit(stage.box, map);
  } else {
    outline(stage.nodes[map], "selected");
    if (layer !== "output") place(stage.box, stage.nodes[map], row, column, 1, 1, size, size);
  }
  if (layer === "output") {
    placeUnit(stages.dense.box, sources[0]);
  } else if (below) {
    const count = kind === "pooling" ? 2 : kind === "dense" ? 4 : KERNEL;
    const step = kind === "pooling" ? 2 : 1;
    const node = stages[below].nodes[channel];
    const side = LAYERS[below].size;
    outline(node, "source");
    place(stages[below].box, node, step * row, step * column, count, count, side, side);
  }
  drawWedges(layer, map, below, sources);
}

function drawWedges(layer, map, below, sources) {
  marked.lines = [];
  if (!below || narrow.matches) {
    $("wedges").replaceChildren();
    return;
  }
  const origin = $("machine").getBoundingClientRect();
  const boxOf = (node) => {
    const box = node.getBoundingClientRect();
    return {left: box.left - origin.left, right: box.right - origin.left,
            top: box.top - origin.top, bottom: box.bottom - origin.top,
            middle: (box.top + box.bottom) / 2 - origin.top};
  };
  const shape = (tag, properties) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(properties)) node.setAttribute(name, value);
    return node;
  };
  const target = boxOf(layer === "output" ? stages.output.nodes[map] : stages[layer].box);
  const units = boxOf(stages.dense.nodes[0]);
  const {columns} = stages.dense;
  const cell = (units.right - units.left) / columns;
  marked.lines = sources.map((index) => {
    const from = layer === "output"
      ? {right: units.left + (index % columns + 1) * cell,
         middle: units.top + (Math.floor(index / columns) + .5) * cell}
      : boxOf(stages[below].nodes[index]);
    const bend = (from.right + target.left) / 2;
    return shape("path", {d: `M${from.right} ${from.middle}C${bend} ${from.middle} ` +
                             `${bend} ${target.middle} ${target.left} ${target.middle}`});
  });
  const wedge = [];
  if (layer !== "output") {
    const from = boxOf(stages[below].box);
    wedge.push(shape("polygon", {class: "wedge", points:
      `${from.right},${from.top} ${target.left},${target.top} ` +
      `${target.left},${target.bottom} ${from.right},${from.bottom}`}));
  }
  $("wedges").replaceChildren(...marked.lines, ...wedge);
}

new ResizeObserver(() => {
  marked.key = "";
  schedule();
}).observe($("machine"));

/* --- start: a test digit to look at, and the map that has most to say about it --- */

recolour();
if (digits.length) {
  pad.pick(digits.find(({label, mistake}) => label === 5 && !mistake) || digits[0], true);
  pad.history.shift();  // nothing to undo yet
}
draw();
{
  const energies = Array.from({length: 32}, (_, map) =>
    network.values.conv1.subarray(map * 576, (map + 1) * 576)
      .reduce((sum, value) => sum + value * value, 0));
  kept = strongest("conv1", energies.indexOf(Math.max(...energies)));
  moveInspector();
  draw();
}

/* For the browser's console: look at any layer of your own network. */
window.explorer = {network, LAYERS, pad, preprocess, timing};
