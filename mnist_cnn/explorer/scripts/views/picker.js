/* Other pictures for the pad: any test picture by its number, a random one, a picture from the disk
   or from the clipboard. */

import {byId, element, onClick} from "../page/dom.js";
import {readPhoto} from "../pictures/photo.js";
import {lookAt, readDigits} from "../pictures/read.js";
import {Picture} from "../drawing/picture.js";
import {LAYERS} from "../network/layers.js";
import {state} from "../page/state.js";

/* pick(digit) puts a digit on the pad; current() is what lies there. */
export function buildPicker(count, {pick, current}) {
  const open = (file, name) => load(file, name, {pick, current});
  byId("number").max = count - 1;
  byId("number").placeholder = `0–${count - 1}`;
  byId("number").addEventListener("change", () => {
    const wanted = Number(byId("number").value);
    if (byId("number").value === "" || !Number.isInteger(wanted) || wanted < 0 || wanted >= count) {
      notify(`Test ${state.noun}s have the numbers 0 to ${count - 1}.`);
    } else {
      pick(state.digitOf(wanted));
    }
  });
  onClick("random", () => pick(state.digitOf(Math.floor(Math.random() * count))));
  onClick("open", () => byId("file").click());
  byId("file").addEventListener("change", () => {
    const [file] = byId("file").files;
    if (file) open(file, file.name);
    byId("file").value = ""; // so that the same file can be chosen again
  });
  addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find(({type}) => type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    open(file, "the clipboard's picture");
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) open(file, file.name);
  });
}

let loads = 0;

/* Read a file and put it on the pad, unless something newer has come there meanwhile. */
async function load(file, name, {pick, current}) {
  const number = ++loads;
  const before = current();
  const isLate = () => number !== loads || before !== current();
  notify(`Reading ${name}\u2026`);
  try {
    const {digits, doubt} = state.handwriting
      ? await readDigits(file)
      : {digits: [await readPhoto(file)], doubt: ""};
    const {moves} = await lookAt(file);
    if (isLate()) return;
    const found = digits.map((pixels) => ({pixels, name, doubt}));
    pick(found[0]);
    offer(found, pick);
    if (moves) notify(`${name} is an animation; this is its first frame.`);
  } catch (error) {
    const {isHeic} = await lookAt(file);
    if (isLate()) return;
    const reason = isHeic
      ? "this browser reads no HEIC pictures; save it as JPEG"
      : error instanceof DOMException
        ? "it is no picture"
        : error.message;
    notify(`Cannot use ${name}: ${reason}.`);
  }
}

/* Of a picture that shows several digits, each one to choose. */
function offer(found, pick) {
  if (found.length < 2) return;
  const thumbs = found.map((digit, i) => {
    const canvas = element("canvas");
    new Picture(canvas, LAYERS.input.size).paintInput(digit.pixels, state.palette.ink);
    const node = element("button", {type: "button", className: "thumb"}, canvas);
    node.setAttribute("aria-label", `Digit ${i + 1} of ${found.length} in ${digit.name}`);
    node.addEventListener("click", () => {
      pick(digit);
      offer(found, pick);
    });
    return node;
  });
  byId("notice").replaceChildren(
    `${found[0].name} shows ${found.length} digits: `,
    element("span", {className: "thumbs"}, ...thumbs),
  );
}

export function notify(text) {
  byId("notice").textContent = text;
}

/* digit: what lies on the pad, or null. */
export function paintPicker(digit) {
  if (document.activeElement !== byId("number")) {
    byId("number").value = digit && digit.index !== undefined ? digit.index : "";
  }
}
