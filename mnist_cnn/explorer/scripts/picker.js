/* Other pictures for the pad: any test picture by its number, a random one, a picture from the disk
   or from the clipboard. */

import {byId, onClick} from "./dom.js";
import {extractInk, readPicture} from "./ink.js";
import {readPhoto} from "./photo.js";
import {preprocess} from "./preprocess.js";
import {state} from "./state.js";

/* pick(digit) puts a digit on the pad. */
export function buildPicker(count, pick) {
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
    if (file) load(file, file.name, pick);
    byId("file").value = ""; // so that the same file can be chosen again
  });
  addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find(({type}) => type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    load(file, "the clipboard's picture", pick);
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) load(file, file.name, pick);
  });
}

async function readDrawing(file) {
  const picture = await readPicture(file);
  return preprocess(extractInk(picture), picture.width).pixels;
}

async function load(file, name, pick) {
  try {
    pick({pixels: await (state.handwriting ? readDrawing : readPhoto)(file), name});
  } catch (error) {
    notify(
      `Cannot use ${name}: ${error instanceof DOMException ? "it is no picture" : error.message}.`
    );
  }
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
