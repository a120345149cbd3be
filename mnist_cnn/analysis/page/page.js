"use strict";

// A click enlarges a picture; a place of its own on a picture shows what belongs to it.

const dialog = document.getElementById("dialog");

function show(...parts) {
  dialog.replaceChildren(...parts);
  dialog.showModal();
}

function image(source, className, text) {
  const element = new Image();
  element.src = source;
  element.className = className;
  element.alt = text;
  return element;
}

dialog.addEventListener("click", () => dialog.close());

for (const picture of document.querySelectorAll(".picture > img")) {
  const enlarge = () => {
    const large = image(picture.src, "whole", picture.alt);
    large.style.width = `${Math.max(picture.naturalWidth, picture.clientWidth * 1.5)}px`;
    show(large);
  };
  picture.addEventListener("click", enlarge);
  picture.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault(); // a space would scroll
    enlarge();
  });
}

// The mistakes: a button on each, which opens its attribution.
function addMistakes(picture, mistakes) {
  for (const {box, text, sources} of mistakes) {
    const button = document.createElement("button");
    const [left, top, width, height] = box.map((part) => `${100 * part}%`);
    Object.assign(button.style, {left, top, width, height});
    button.setAttribute("aria-label", `${text}; why?`);
    button.addEventListener("click", () => {
      const caption = document.createElement("p");
      caption.textContent = text;
      const pair = document.createElement("div");
      pair.className = "pair";
      pair.append(...sources.map((source) => image(source, "small", "")));
      show(caption, pair);
    });
    picture.append(button);
  }
}

// The images of an embedding: the one next to the pointer is shown beside it.
function addImages(picture, {points, texts}, sheet, columns, [height, width]) {
  const tip = document.getElementById("tip");
  const [canvas, line] = tip.children;
  const context = canvas.getContext("2d");
  picture.addEventListener("pointermove", (event) => {
    const frame = picture.getBoundingClientRect();
    const x = event.clientX - frame.left;
    const y = event.clientY - frame.top;
    let [nearest, least] = [-1, 14 ** 2]; // pixels
    points.forEach(([px, py], number) => {
      const distance = (px * frame.width - x) ** 2 + (py * frame.height - y) ** 2;
      if (distance < least) [nearest, least] = [number, distance];
    });
    tip.style.display = nearest < 0 ? "none" : "block";
    if (nearest < 0) return;
    const [row, column] = [Math.floor(nearest / columns), nearest % columns];
    context.drawImage(sheet, width * column, height * row, width, height, 0, 0, width, height);
    line.textContent = texts[nearest];
    // beside the pointer, on the side where there is room
    const box = tip.getBoundingClientRect();
    const {clientWidth, clientHeight} = document.documentElement;
    const right = event.clientX + 16 + box.width <= clientWidth;
    const below = event.clientY + 16 + box.height <= clientHeight;
    tip.style.left = `${Math.max(0, event.pageX + (right ? 16 : -16 - box.width))}px`;
    tip.style.top = `${event.pageY + (below ? 16 : -16 - box.height)}px`;
  });
  picture.addEventListener("pointerleave", () => {
    tip.style.display = "none";
  });
}

const data = JSON.parse(document.getElementById("data").textContent);
const sheet = new Image();
if (data.sheet) sheet.src = data.sheet;
for (const [name, places] of Object.entries(data.places)) {
  const picture = document.querySelector(`#${name} .picture`);
  if (Array.isArray(places)) addMistakes(picture, places);
  else addImages(picture, places, sheet, data.columns, data.shape);
}
