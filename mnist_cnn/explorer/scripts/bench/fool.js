/* The tab "Fool it": the least change that makes the network answer otherwise. */

import {byId, element, number, percent} from "../page/dom.js";
import {LAYERS} from "../network/layers.js";
import {leastChange} from "./least_change.js";
import {Picture} from "../drawing/picture.js";
import {aClass, scaled, schedule, state} from "../page/state.js";
import {isShown} from "../page/tabs.js";

const REST = 250; // ms without a change before the search begins
const LIKELIEST = 3; // other classes that are tried

let timer = 0;
let twin, choice, before, after, caption, put;
let found = {key: null};

/* pick(digit) puts the changed picture on the pad. */
export function buildFool(pick) {
  twin = state.network.twin();
  choice = element(
    "select",
    {},
    element("option", {value: ""}, `any other ${state.noun === "digit" ? "digit" : "class"}`),
    ...state.names.map((name, i) => element("option", {value: i}, name)),
  );
  choice.addEventListener("change", schedule);
  put = element("button", {type: "button", className: "plain"}, "Put it on the pad");
  put.addEventListener("click", () =>
    pick({pixels: found.result.pixels, name: "the changed picture"}),
  );
  const canvases = ["before", "after"].map((name) => {
    const canvas = element("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute(
      "aria-label",
      name === "before" ? "What changes: orange is added, blue is erased" : "The changed picture",
    );
    return canvas;
  });
  [before, after] = canvases.map((canvas) => new Picture(canvas, LAYERS.input.size));
  caption = element("p", {className: "fool-caption"});
  caption.setAttribute("role", "status");
  byId("panel-fool").append(
    element("div", {className: "compare-tools"}, element("label", {}, "Make it ", choice), put),
    element(
      "div",
      {className: "fool"},
      element("figure", {}, element("figcaption", {}, "What changes"), canvases[0]),
      element("figure", {}, element("figcaption", {}, "What the network then sees"), canvases[1]),
      element(
        "div",
        {},
        caption,
        element(
          "p",
          {className: "about"},
          "The pixel that changes the answer fastest is filled or emptied, then the next, until " +
            "the answer is another; then each is taken back as far as that allows. Orange is ink " +
            "added, blue is ink erased. Undo brings the picture back; a smaller change that this " +
            "search does not find may exist.",
        ),
      ),
    ),
  );
}

export function paintFool() {
  if (!isShown("fool")) return;
  const {pixels} = state.input;
  const key = [pixels.join(), choice.value, state.edits.version].join(";");
  if (key !== found.key) {
    found = {key, answer: answerTo(pixels), result: null, isSearching: true};
    clearTimeout(timer);
    timer = setTimeout(() => search(found, pixels, targetsOf(pixels)), REST);
  }
  const {result, answer, isSearching} = found;
  put.disabled = !result || inkOf(result) === 0;
  const shown = result ? result.pixels : pixels;
  after.paintInput(shown, state.palette.ink);
  before.paintChange(pixels, shown, state.palette);
  caption.textContent = isSearching ? "Searching\u2026" : describe(result, answer);
}

const inkOf = ({added, erased}) => added + erased;

/* The class that was chosen, or the likeliest of those that are not the answer. */
function targetsOf(pixels) {
  if (choice.value !== "") return [Number(choice.value)];
  const output = Array.from(twin.forward(scaled(pixels)));
  return [...output.keys()].sort((a, b) => output[b] - output[a]).slice(1, 1 + LIKELIEST);
}

/* One class after the other, so that a hand can draw meanwhile. */
function search(current, pixels, targets) {
  if (current !== found || !isShown("fool")) return;
  const [target, ...others] = targets;
  const limit = current.result ? 2 * inkOf(current.result) : undefined;
  const result = leastChange(twin, pixels, target, limit);
  if (result && (!current.result || inkOf(result) < inkOf(current.result))) current.result = result;
  current.isSearching = others.length > 0;
  if (others.length) timer = setTimeout(() => search(current, pixels, others));
  schedule();
}

function answerTo(pixels) {
  const output = twin.forward(scaled(pixels));
  return output.indexOf(Math.max(...output));
}

function describe(result, answer) {
  if (!result) return "No change of 60 pixels leads there.";
  const ink = inkOf(result);
  if (ink === 0) return `It is ${aClass(answer)} to the network already.`;
  const now = answerTo(result.pixels);
  const share = percent(twin.values.output[now]);
  return (
    `${number(ink, 1)} pixels of full ink (${number(result.added, 1)} added, ` +
    `${number(result.erased, 1)} erased) make ${aClass(answer)} ${aClass(now)}, at ${share}.`
  );
}
