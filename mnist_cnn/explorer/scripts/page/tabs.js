/* Tabs of the bench: one panel at a time; arrow keys go from tab to tab. */

import {byId} from "./dom.js";

const names = ["sum", "looks", "curves", "fool", "where", "compare", "film"];
const shown = {name: "sum"};

export const isShown = (name) => shown.name === name;

/* changed() is called when another panel is shown. */
export function buildTabs(available, changed) {
  const tabs = names.filter((name) => available.includes(name)).map((name) => byId(`tab-${name}`));
  for (const name of names) byId(`tab-${name}`).hidden = !available.includes(name);
  const show = (tab) => {
    shown.name = tab.id.slice("tab-".length);
    for (const other of tabs) {
      other.setAttribute("aria-selected", other === tab);
      other.tabIndex = other === tab ? 0 : -1;
      byId(other.getAttribute("aria-controls")).hidden = other !== tab;
    }
    byId("bench").dataset.tab = shown.name;
    changed();
  };
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const to = {ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: tabs.length - 1}[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs[(to + tabs.length) % tabs.length];
      next.focus();
      show(next);
    });
  });
  byId("bench").dataset.tab = shown.name;
}
