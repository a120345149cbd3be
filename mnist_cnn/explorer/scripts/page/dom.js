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

/* A probability for people: no answer is certain, and none impossible. */
export function percent(value) {
  return value > 0.999 ? "> 99.9 %" : value < 0.001 ? "< 0.1 %" : (100 * value).toFixed(1) + " %";
}

/* A radio button, a check box or a slider reports its changes. */
export const onInput = (node, report) => node.addEventListener("input", () => report(node));
export const onClick = (id, report) => byId(id).addEventListener("click", report);
