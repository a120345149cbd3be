/* Light and dark. */

import {byId} from "./dom.js";

/* repaint() is called whenever the colours have changed. */
export function buildTheme(repaint) {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const apply = () => {
    byId("theme").setAttribute("aria-pressed", isDark());
    byId("theme").title = isDark() ? "Light colours" : "Dark colours";
    repaint();
  };
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}
