// Building elements. Text is always set as text, so what a charge point or a user wrote never becomes markup.

const SVG = 'http://www.w3.org/2000/svg';

/** An HTML element: `h('p', { class: 'muted', onclick: f }, 'text', node)`. Absent children (null, false) are skipped. */
export function h(tag, props = {}, ...children) {
  return build(document.createElement(tag), props, children);
}

/** An SVG element. */
export function s(tag, props = {}, ...children) {
  return build(document.createElementNS(SVG, tag), props, children);
}

/** Puts `children` in the place of what `node` holds. */
export function fill(node, ...children) {
  node.replaceChildren(...nodes(children));
  return node;
}

/** Calls `work` once, `delay` ms after the first of several calls in a row. */
export function coalesce(work, delay, signal) {
  let timer = null;
  signal?.addEventListener('abort', () => clearTimeout(timer));
  return () => {
    if (timer !== null || signal?.aborted) return;
    timer = setTimeout(() => {
      timer = null;
      if (!signal?.aborted) work();
    }, delay);
  };
}

/** Calls `work` when the calls have stopped for `delay` ms. */
export function debounce(work, delay) {
  let timer = null;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), delay);
  };
}

function build(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'testid') node.setAttribute('data-testid', value);
    else if (['value', 'checked', 'selected', 'open'].includes(name)) node[name] = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...nodes(children));
  return node;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}
