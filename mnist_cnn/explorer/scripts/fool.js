/* The tab "Fool it": the least change that makes the network answer otherwise. */

import {byId, element, number, percent} from "./dom.js";
import {LAYERS} from "./layers.js";
import {leastChange, leastChangeToAny} from "./least_change.js";
import {Picture} from "./picture.js";
import {aClass, scaled, schedule, state} from "./state.js";
import {isShown} from "./tabs.js";

let twin, choice, before, after, caption, put;
let found = {key: null, result: null};

/* pick(digit) puts the changed picture on the pad. */
export function buildFool(pick) {
  twin = state.network.twin();
  choice = element(
    "select",
    {},
    element("option", {value: ""}, `any other ${state.noun === "digit" ? "digit" : "class"}`),
    ...state.names.map((name, i) => element("option", {value: i}, name))
  );
  choice.addEventListener("change", schedule);
  put = element("button", {type: "button", className: "plain"}, "Put it on the pad");
  put.addEventListener("click", () =>
    pick({pixels: found.result.pixels, name: "the changed picture"})
  );
  const canvases = ["before", "after"].map((name) => {
    const canvas = element("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute(
      "aria-label",
      name === "before" ? "What changes: orange is added, blue is erased" : "The changed picture"
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
            "search does not find may exist."
        )
      )
    )
  );
}

export function paintFool() {
  if (!isShown("fool")) return;
  const {pixels} = state.input;
  const key = [pixels.join(), choice.value, state.edits.version].join(";");
  if (key !== found.key) {
    const target = choice.value === "" ? null : Number(choice.value);
    found = {
      key,
      answer: answerTo(pixels),
      result:
        target === null ? leastChangeToAny(twin, pixels) : leastChange(twin, pixels, target),
    };
  }
  const {result, answer} = found;
  put.disabled = !result || result.added + result.erased === 0;
  const shown = result ? result.pixels : pixels;
  after.paintInput(shown, state.palette.ink);
  before.paintChange(pixels, shown, state.palette);
  caption.textContent = describe(result, answer);
}

function answerTo(pixels) {
  const output = twin.forward(scaled(pixels));
  return output.indexOf(Math.max(...output));
}

function describe(result, answer) {
  if (!result) return "No change of 200 pixels leads there.";
  const ink = result.added + result.erased;
  if (ink === 0) return `It is ${aClass(answer)} to the network already.`;
  const now = answerTo(result.pixels);
  const share = percent(twin.values.output[now]);
  return (
    `${number(ink, 1)} pixels of full ink (${number(result.added, 1)} added, ` +
    `${number(result.erased, 1)} erased) make ${aClass(answer)} ${aClass(now)}, at ${share}.`
  );
}
