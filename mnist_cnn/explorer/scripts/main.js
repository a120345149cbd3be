/* The page put together, and one frame of it. */

import {buildGlance, paintAnswer} from "./answer.js";
import {Palette} from "./colours.js";
import {byId, number} from "./dom.js";
import {readDigits, readWeights} from "./embedded.js";
import {buildGallery, markPicked, recolourGallery} from "./gallery.js";
import {Inspector} from "./inspector.js";
import {LAYERS} from "./layers.js";
import {forgetPlaces, mark} from "./marks.js";
import {Network} from "./network.js";
import {Pad} from "./pad.js";
import {preprocess} from "./preprocess.js";
import {buildSaliency, paintSaliency} from "./saliency.js";
import {measureScale} from "./scale.js";
import {buildStages, paintStages, stages} from "./stages.js";
import {
  drawNow, narrow, onFrame, onKept, pointAway, refresh, schedule, select, selected, state, strongest,
} from "./state.js";
import {buildTheme} from "./theme.js";
import {Stopwatch} from "./timing.js";

const timing = {forward: new Stopwatch(), frame: new Stopwatch()};
const scaled = (bytes) => Float32Array.from(bytes, (byte) => byte / 256);

const network = state.network = new Network(readWeights());
state.digits = readDigits();
state.palette = new Palette();
state.scale = measureScale(network, state.digits.map(({pixels}) => scaled(pixels)));

buildStages();
buildGlance();
buildSaliency();
const pad = new Pad(byId("ink"), byId("pen"), refresh);
buildGallery(state.digits, (digit) => pad.pick(digit));
const inspector = new Inspector(
  {heading: byId("inspected"), about: byId("inspected-about"), body: byId("sum")}, {
    onPixel: (row, column, keep) => select({...selected(), row, column}, keep),
    onChannel: (channel, keep) => select({...selected(), channel}, keep),
    onLeave: pointAway,
  });

/* --- tools and switches --- */

byId("undo").addEventListener("click", () => pad.undo());
byId("clear").addEventListener("click", () => pad.clear());
byId("brush").addEventListener("input", (event) => pad.brush = Number(event.target.value));
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
    event.preventDefault();
    pad.undo();
  }
});
for (const radio of document.querySelectorAll("[name=values]")) {
  radio.addEventListener("change", () => {
    state.showRaw = radio.value === "raw" && radio.checked;
    refresh();
  });
}
byId("saliency").addEventListener("change", (event) => {
  state.showSaliency = event.target.checked;
  refresh();
});

/* --- one frame --- */

function paintTools() {
  const {digit, strokes, isExample} = pad.state;
  byId("hint").hidden = !(isExample || pad.isEmpty);
  byId("undo").disabled = !pad.canUndo;
  byId("clear").disabled = pad.isEmpty;
  markPicked(strokes.length === 0 ? digit : null);
}

onFrame((inputChanged) => {
  timing.frame.time(() => {
    if (inputChanged) {
      state.input = pad.read();
      timing.forward.time(() => network.forward(scaled(state.input.pixels)));
      paintStages();
      paintSaliency(pad);
      paintAnswer(pad);
      paintTools();
    }
    inspector.show(selected());
    mark();
  });
  byId("timing").textContent = `${number(timing.forward.mean, 1)} ms for the forward pass, ` +
    `${number(timing.frame.mean, 1)} ms for all that is drawn.`;
});

/* On a narrow page the inspector opens under the stage that it is about. */
function moveInspector() {
  const {section} = stages[state.kept.layer];
  const home = document.querySelector("main");
  if (narrow.matches ? section.nextElementSibling === byId("inspector")
                     : byId("inspector").parentNode === home) return;
  const before = section.getBoundingClientRect().top;
  const focus = document.activeElement;
  if (narrow.matches) section.after(byId("inspector"));
  else home.append(byId("inspector"));
  if (focus !== document.activeElement) focus.focus();
  // what was tapped stays under the finger
  if (narrow.matches) scrollBy(0, section.getBoundingClientRect().top - before);
}
onKept(moveInspector);
narrow.addEventListener("change", moveInspector);

new ResizeObserver(() => {
  forgetPlaces();
  schedule();
}).observe(byId("machine"));

/* --- start: a test digit to look at, and the map that has most to say about it --- */

buildTheme(() => {
  state.palette.refresh();
  pad.redraw(state.palette);
  recolourGallery(state.palette);
  refresh();
});
if (state.digits.length) {
  pad.pick(state.digits.find(({label, mistake}) => label === 5 && !mistake) || state.digits[0], true);
  pad.history.shift();  // nothing to undo yet
}
drawNow();
{
  const energies = Array.from({length: 32}, (_, map) =>
    network.values.conv1.subarray(map * 576, (map + 1) * 576)
      .reduce((sum, value) => sum + value * value, 0));
  state.kept = strongest("conv1", energies.indexOf(Math.max(...energies)));
  moveInspector();
  drawNow();
}

/* For the browser's console: look at any layer of your own network. */
window.explorer = {network, LAYERS, pad, preprocess, timing};
