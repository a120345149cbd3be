/* Tables of numbers, one cell for a value; the same cell lights up in all of them. */

import {element, number} from "../page/dom.js";

export class Grids {
  constructor() {
    this.grids = {};
  }

  build(name, caption, width) {
    const cells = [];
    const rows = Array.from({length: width}, () =>
      element(
        "tr",
        {},
        ...Array.from({length: width}, () => {
          const index = cells.length;
          const cell = element("td");
          cell.addEventListener("pointerenter", () => this.light(index));
          cell.addEventListener("pointerleave", () => this.light(null));
          cells.push(cell);
          return cell;
        }),
      ),
    );
    const table = element(
      "table",
      {className: `grid grid-${name}`},
      element("caption", {textContent: caption}),
      element("tbody", {}, ...rows),
    );
    this.grids[name] = {cells, table};
    return table;
  }

  get(name) {
    return this.grids[name];
  }

  light(index) {
    for (const {cells} of Object.values(this.grids)) {
      cells.forEach((cell, i) => cell.classList.toggle("lit", i === index));
    }
  }

  /* scale: the number that gets full colour; NaN leaves a cell empty. */
  fill(name, values, scale, digits) {
    this.grids[name].cells.forEach((cell, i) => {
      const value = values[i];
      const text = Number.isNaN(value) ? "" : number(value, digits);
      if (cell.textContent !== text) cell.textContent = text;
      cell.style.setProperty("--t", Number.isNaN(value) ? 0 : Math.min(1, Math.abs(value) / scale));
      cell.classList.toggle("negative", value < 0);
    });
  }
}

/* The largest magnitude, for a scale. */
export const largest = (values) =>
  values.reduce((best, value) => Math.max(best, Math.abs(value)), 1e-6);
