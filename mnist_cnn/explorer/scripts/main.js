/* The page put together, and one frame of it. */

import {buildGlance, paintAnswer} from "./views/answer.js";
import {Palette} from "./drawing/colours.js";
import {buildCompare, paintCompare} from "./bench/compare.js";
import {applyChange, buildCurves, paintCurves} from "./bench/curves.js";
import {byId, number, onClick, onInput} from "./page/dom.js";
import {buildEditTools, paintEditTools} from "./views/edit_tools.js";
import {Edits} from "./network/edits.js";
import {readEmbedded} from "./page/embedded.js";
import {buildFilm, paintFilm} from "./bench/film.js";
import {buildFool, paintFool} from "./bench/fool.js";
import {buildGallery, markPicked, recolourGallery} from "./views/gallery.js";
import {Inspector} from "./views/inspector.js";
import {LAYERS, isInk} from "./network/layers.js";
import {buildLooks, paintLooks, recolourLooks} from "./bench/looks.js";
import {leastChange} from "./bench/least_change.js";
import {forgetPlaces, mark} from "./views/marks.js";
import {buildMotion, paintControls} from "./views/motion.js";
import {Network} from "./network/network.js";
import {Pad} from "./views/pad.js";
import {buildPicker, notify, paintPicker} from "./views/picker.js";
import {preprocess} from "./pictures/preprocess.js";
import {readDigits} from "./pictures/read.js";
import {buildSaliency, paintSaliency} from "./views/saliency.js";
import {measureScale} from "./drawing/scale.js";
import {buildStages, paintLegend, paintStages, stages} from "./views/stages.js";
import {
  drawNow,
  followStrongest,
  narrow,
  onFrame,
  onKept,
  pointAway,
  refresh,
  scaled,
  schedule,
  select,
  selected,
  state,
  strongest,
} from "./page/state.js";
import {buildTabs} from "./page/tabs.js";
import {buildTheme} from "./page/theme.js";
import {Stopwatch} from "./page/timing.js";
import {Trust} from "./network/unsure.js";
import {buildWhere, paintWhere, placeOf, recolourWhere} from "./bench/where.js";

const timing = {forward: new Stopwatch(), frame: new Stopwatch()};

let pad, inspector;

if ("DecompressionStream" in window) readEmbedded().then(start);
else notify("This browser is too old for the page; it needs Chromium 123 or Firefox 121.");

function start({facts, weights, digitOf, favourites, trust, plane, training, film}) {
  const gallery = facts.gallery.map((digit) => ({...digitOf(digit.index), ...digit}));
  const network = (state.network = new Network(weights[0]));
  Object.assign(state, {
    names: facts.names,
    noun: facts.noun,
    handwriting: facts.handwriting,
    nothing: facts.nothing,
    digitOf,
    favourites,
    palette: new Palette(),
    edits: new Edits(network),
    trust: new Trust(trust),
    scale: measureScale(
      network,
      gallery.map(({pixels}) => scaled(pixels)),
    ),
  });

  document.body.classList.toggle("many", facts.names.length > 12);
  document.body.classList.toggle("no-drawing", !isInk());
  document.body.classList.toggle(
    "wordy",
    facts.names.some((name) => name.length > 2),
  );
  buildStages();
  buildGlance();
  buildSaliency();
  pad = new Pad(byId("ink"), byId("pen"), {
    onChange() {
      if (!pad.stroke) notify("");
      refresh();
    },
    onReplaced: () => notify("A new drawing; Undo brings the picture back."),
  });
  const pick = (digit) => pad.pick(digit);
  buildGallery(gallery, pick);
  buildPicker(facts.count, {pick, current: () => pad.state});
  inspector = new Inspector(
    {heading: byId("inspected"), about: byId("inspected-about"), body: byId("sum")},
    {
      onPixel: (row, column, keep) => select({...selected(), row, column, isChosen: true}, keep),
      onChannel: (channel, keep) => select({...selected(), channel}, keep),
      onLeave: pointAway,
    },
  );
  buildMotion();
  buildEditTools();
  buildLooks(pick);
  buildCurves();
  buildFool(pick);
  buildWhere({plane, training}, pick);
  buildCompare(facts.models, weights.slice(1), gallery);
  if (film.length) buildFilm(film);
  buildTabs(
    ["sum", "looks", "curves", "fool", "where", "compare", ...(film.length ? ["film"] : [])],
    refresh,
  );
  wireTools();
  onFrame(drawFrame);
  onKept(moveBench);
  narrow.addEventListener("change", moveBench);
  new ResizeObserver(() => {
    forgetPlaces();
    schedule();
  }).observe(byId("machine"));
  buildTheme(() => {
    state.palette.refresh();
    pad.redraw(state.palette);
    recolourGallery(state.palette);
    recolourLooks();
    recolourWhere();
    refresh();
  });
  showExample(gallery);
  document.documentElement.dataset.ready = "";
  /* For the browser's console: look at any layer of your own network. */
  window.explorer = {
    network,
    LAYERS,
    pad,
    preprocess,
    readDigits,
    leastChange,
    placeOf,
    timing,
    state,
  };
}

/* A test picture to look at, and the map that has most to say about it. */
function showExample(gallery) {
  const surest = [...gallery].sort((a, b) => b.confidence - a.confidence);
  const example = surest.find(({mistake}) => !mistake) || state.digitOf(0);
  pad.restore(history.state, state.digitOf) || pad.pick(example, true);
  pad.history.shift(); // nothing to undo yet
  drawNow();
  const {conv1} = state.network.values;
  const area = LAYERS.conv1.size ** 2;
  const energies = Array.from({length: LAYERS.conv1.maps}, (_, map) =>
    conv1.subarray(map * area, (map + 1) * area).reduce((sum, value) => sum + value * value, 0),
  );
  select(strongest("conv1", energies.indexOf(Math.max(...energies))), true);
  drawNow();
}

function wireTools() {
  onClick("undo", () => pad.undo());
  onClick("clear", () => pad.clear());
  onInput(byId("brush"), ({value}) => (pad.brush = Number(value)));
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
      event.preventDefault();
      pad.undo();
    }
  });
  for (const radio of document.querySelectorAll("[name=values]")) {
    onInput(radio, ({value}) => {
      state.showRaw = value === "raw";
      refresh();
    });
  }
  onInput(byId("saliency"), ({checked}) => {
    state.showSaliency = checked;
    refresh();
  });
}

function paintTools() {
  const {digit, strokes, isExample} = pad.state;
  const picked = strokes.length === 0 ? digit : null;
  byId("hint").hidden = !isInk() || !(isExample || pad.isEmpty);
  byId("undo").disabled = !pad.canUndo;
  byId("clear").disabled = pad.isEmpty;
  markPicked(picked);
  paintPicker(picked);
}

function drawFrame(inputChanged) {
  timing.frame.time(() => {
    if (inputChanged) {
      history.replaceState(pad.saved, ""); // so that a reload brings it back
      const read = pad.read();
      state.input = {...read, pixels: applyChange(read.pixels)};
      timing.forward.time(() => state.network.forward(scaled(state.input.pixels)));
      followStrongest();
      paintSaliency(pad);
      paintAnswer(pad);
      paintTools();
    }
    if (inputChanged || state.motion || movedBefore) paintStages();
    movedBefore = Boolean(state.motion);
    paintLegend();
    inspector.show(selected());
    paintControls();
    paintEditTools();
    paintLooks();
    paintCurves(inputChanged);
    paintFool();
    paintWhere();
    paintCompare();
    paintFilm(inputChanged);
    mark();
  });
  byId("timing").textContent =
    `${number(timing.forward.mean, 1)} ms for the forward pass, ` +
    `${number(timing.frame.mean, 1)} ms for all that is drawn.`;
}

let movedBefore = false; // a map that was partly shown is to be shown whole again

/* On a narrow page the bench opens under the stage that it is about. */
function moveBench() {
  const {section} = stages[state.kept.layer];
  const bench = byId("bench");
  if (
    narrow.matches
      ? section.nextElementSibling === bench
      : byId("machine").nextElementSibling === bench
  )
    return;
  const before = section.getBoundingClientRect().top;
  const focus = document.activeElement;
  (narrow.matches ? section : byId("machine")).after(bench);
  if (focus !== document.activeElement) focus.focus();
  // what was tapped stays under the finger
  if (narrow.matches) scrollBy(0, section.getBoundingClientRect().top - before);
}
