/* The tools that change the network: silence, scale, draw, reset. */

import {byId, number, onClick, onInput} from "../page/dom.js";
import {LAYERS} from "../network/layers.js";
import {refresh, selected, state} from "../page/state.js";

/* The place whose weights count for a selection: a pool has none, but the maps below it. */
function placeOf({layer, map}) {
  return LAYERS[layer].kind === "pooling" ? {layer: LAYERS[layer].below, map} : {layer, map};
}

export function buildEditTools() {
  const change = (edit) => {
    const {layer, map} = placeOf(state.kept);
    edit(layer, map);
    refresh();
  };
  onInput(byId("silence"), ({checked}) =>
    change((...place) => state.edits.silence(...place, checked)),
  );
  onInput(byId("factor"), ({value}) =>
    change((...place) => state.edits.scale(...place, Number(value))),
  );
  onClick("reset", () => change((...place) => state.edits.reset(...place)));
  onClick("reset-all", () => change(() => state.edits.resetAll()));
}

/* The weight to draw, in parts of the largest that was learned; null while not drawing. */
function brush() {
  const {value} = document.querySelector("[name=weight]:checked");
  return value === "" ? null : Number(value);
}

/* Make the cells of a kernel's grid something to draw on: with mouse, finger, or + and -. */
export function makeDrawable(cells, channelOf) {
  const {edits} = state;
  const set = (i, value) => {
    const {layer, map} = state.kept;
    const most = edits.measure(layer, map);
    edits.setWeight(
      layer,
      map,
      channelOf(),
      i,
      Math.max(-2 * most, Math.min(2 * most, value * most)),
    );
    refresh();
  };
  cells.forEach((cell, i) => {
    cell.tabIndex = i === 0 ? 0 : -1;
    cell.addEventListener("pointerdown", (event) => {
      if (brush() === null) return;
      event.preventDefault();
      cell.releasePointerCapture(event.pointerId);
      set(i, brush());
    });
    cell.addEventListener("pointerenter", (event) => {
      if (brush() !== null && event.buttons & 1) set(i, brush());
    });
    cell.addEventListener("keydown", (event) => {
      const {layer, map} = state.kept;
      const change = {"+": 0.1, "-": -0.1}[event.key];
      if (change === undefined) return;
      event.preventDefault();
      set(
        i,
        state.network.terms(layer, map, state.kept.row, state.kept.column, channelOf()).kernel[i] /
          edits.measure(layer, map) +
          change,
      );
    });
  });
}

export function paintEditTools() {
  const {edits} = state;
  const {layer, map} = placeOf(selected());
  byId("edits").hidden = layer === "input";
  if (layer === "input") return;
  byId("edits").setAttribute(
    "aria-label",
    `Change ${LAYERS[layer].kind === "convolution" ? "map" : "unit"} ${map}`,
  );
  byId("silence").checked = edits.isSilenced(layer, map);
  byId("silence").closest("label").hidden = layer === "output";
  byId("factor-label").hidden = byId("kernel-brushes").hidden =
    LAYERS[selected().layer].kind === "pooling";
  if (layer === "output") byId("kernel-brushes").hidden = true;
  byId("factor").value = edits.factorOf(layer, map);
  byId("factor-value").textContent = number(edits.factorOf(layer, map), 1);
  byId("reset").disabled = !edits.isChanged(layer, map);
  byId("reset-all").hidden = edits.count === 0;
  byId("reset-all").textContent = `Reset all (${edits.count})`;
  byId("sum").classList.toggle("drawing", brush() !== null);
  document.body.classList.toggle("changed", edits.count > 0);
}
