/* One stop for Tab among many buttons, and arrow keys between them. */
export function roveFocus(container, nodes) {
  nodes.forEach((node, i) => (node.tabIndex = i === 0 ? 0 : -1));
  container.addEventListener("focusin", (event) => {
    if (!nodes.includes(event.target)) return;
    for (const node of nodes) node.tabIndex = node === event.target ? 0 : -1;
  });
  container.addEventListener("keydown", (event) => {
    const current = nodes.indexOf(event.target);
    if (current < 0) return;
    const top = nodes[0].offsetTop;
    const columns = nodes.filter((node) => node.offsetTop === top).length;
    const moves = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -current,
      End: nodes.length - 1 - current,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const next = nodes[current + moves[event.key]];
    if (next) next.focus();
  });
}
