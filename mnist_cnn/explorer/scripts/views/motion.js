/* Motion: a sum shown step by step, played, paused and stepped through.

   Convolution and pooling slide their window from pixel to pixel; a dense unit adds up map after
   map; softmax fills its table cell by cell. state.motion says how far it has come. */

import {byId} from "../page/dom.js";
import {LAYERS} from "../network/layers.js";
import {onKept, schedule, select, selectionOf, state} from "../page/state.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const CALM_PACE = 2; // steps a second at most, for those who asked for little motion
const MOST_ROWS = 12; // of softmax's table; of more classes it shows the likeliest

let stepping = false;

/* In softmax's table: a row for each class, or fewer and one for all others. */
export const softmaxRows = () => Math.min(LAYERS.output.maps, MOST_ROWS);

export function stepsOf(layer) {
  const {kind, size, below} = LAYERS[layer];
  if (layer === "input") return 0;
  if (layer === "output") return 2 * softmaxRows() + 1; // powers, their sum, probabilities
  return kind === "dense" ? LAYERS[below].maps : size * size;
}

/* How many pixels of a map are shown. */
export function shownOf(layer, map) {
  const {motion} = state;
  return motion && motion.layer === layer && motion.map === map && LAYERS[layer].size > 1
    ? motion.step + 1
    : Infinity;
}

/* How far the sum of what is selected has come, or null where nothing moves. */
export function stepOf({layer, map}) {
  const {motion} = state;
  return motion && motion.layer === layer && motion.map === map ? motion.step : null;
}

/* Steps a second, from 1 to 100. */
function pace() {
  const wanted = 10 ** (Number(byId("pace").value) / 50);
  return calm.matches ? Math.min(wanted, CALM_PACE) : wanted;
}

function goTo(step) {
  const {layer, map, channel, row, column} = state.kept;
  const {size} = LAYERS[layer];
  const playing = Boolean(state.motion && state.motion.playing);
  state.motion = {layer, map, step, playing};
  const next =
    size > 1
      ? {...selectionOf(layer, map, Math.floor(step / size), step % size), channel}
      : layer === "output"
        ? {...state.kept}
        : {...selectionOf(layer, map, row, column), channel: step};
  stepping = true;
  select(next, true);
  stepping = false;
}

export function stepBy(count) {
  const steps = stepsOf(state.kept.layer);
  if (steps === 0) return;
  if (state.motion) state.motion.playing = false;
  const from = state.motion ? state.motion.step : count > 0 ? -1 : steps;
  goTo(Math.max(0, Math.min(steps - 1, from + count)));
}

export function play() {
  const steps = stepsOf(state.kept.layer);
  if (steps === 0) return;
  if (!state.motion || state.motion.step >= steps - 1) goTo(0);
  state.motion.playing = true;
  let last = performance.now();
  let due = 0;
  const tick = (now) => {
    const {motion} = state;
    if (!motion || !motion.playing) return;
    due += (Math.max(0, now - last) / 1000) * pace();
    last = now;
    const count = Math.floor(due);
    if (count > 0) {
      due -= count;
      const step = Math.min(steps - 1, motion.step + count);
      goTo(step);
      if (step === steps - 1) pause();
    }
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  paintControls();
}

export function pause() {
  if (state.motion) state.motion.playing = false;
  schedule();
}

/* Back to the whole sum. */
export function finish() {
  if (!state.motion) return;
  if (LAYERS[state.motion.layer].size === 1) state.kept = {...state.kept, channel: null};
  state.motion = null;
  schedule();
}

export function togglePlay() {
  if (state.motion && state.motion.playing) pause();
  else play();
}

export function buildMotion() {
  byId("play").addEventListener("click", togglePlay);
  byId("step-back").addEventListener("click", () => stepBy(-1));
  byId("step").addEventListener("click", () => stepBy(1));
  byId("finish").addEventListener("click", finish);
  onKept(() => {
    const {motion, kept} = state;
    if (stepping || !motion) return;
    state.motion = null; // somebody looks at something else
    if (kept.layer === motion.layer && kept.map === motion.map) schedule();
  });
}

export function paintControls() {
  const {motion, kept} = state;
  const playing = Boolean(motion && motion.playing);
  const steps = stepsOf(kept.layer);
  byId("motion").hidden = steps === 0;
  byId("play").classList.toggle("playing", playing);
  byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  byId("play").title = playing ? "Pause (space)" : "Play the sum step by step (space)";
  byId("finish").disabled = !motion;
  byId("step-count").textContent = motion ? `${motion.step + 1} / ${steps}` : "";
}
