/* Elements and texts. */

export const byId = (id) => document.getElementById(id);

/* A small language for building elements: tag, properties, children. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/* A number for people: a true minus, and no "-0.00". */
export function number(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? "\u2212" + text : text;
}

export function percent(value) {
  return value > .9995 ? "100 %" : value < .0005 ? "0 %" : (100 * value).toFixed(1) + " %";
}
