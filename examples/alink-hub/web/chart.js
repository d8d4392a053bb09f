// The history of a number, as a curve in SVG.

import { h, s } from '/web/lib.js';
import { t, when } from '/web/i18n.js';

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [640, 190, 58, 12, 12, 26];

/** Round values from below `low` to above `high`. */
function ticks(low, high) {
  const rough = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(candidate => candidate >= rough);
  const first = Math.floor(low / step + 1e-9);
  const count = Math.ceil(high / step - 1e-9) - first;
  // Not a sum, which gathers rounding errors.
  return Array.from({ length: count + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** `points` are `[milliseconds, value]`; `add` puts one more. */
export function chart(title, unit, points) {
  const all = [...points].sort((a, b) => a[0] - b[0]);
  const svg = s('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': title });
  const readout = h('figcaption', { 'aria-live': 'polite' });
  const node = h('figure', { class: 'chart', testid: 'chart' }, svg, readout);
  let view;

  function draw() {
    node.dataset.points = all.length;
    readout.textContent = all.length ? `${title} · ${t('points')} ${all.length}` : '';
    if (!all.length) return svg.replaceChildren(s('text', { x: WIDTH / 2, y: HEIGHT / 2, 'text-anchor': 'middle' }, t('empty')));
    let [from, to] = [all[0][0], all.at(-1)[0]];
    if (from === to) [from, to] = [from - 30000, to + 30000];
    const values = all.map(([, value]) => value);
    let [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    if (low === high) [low, high] = [low - 1, high + 1];
    const marks = ticks(low, high);
    [low, high] = [marks[0], marks.at(-1)];
    const x = time => LEFT + (time - from) / (to - from) * (WIDTH - LEFT - RIGHT);
    const y = value => TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM);
    view = { x, y };
    const line = all.map(([time, value], index) => `${index ? 'L' : 'M'}${x(time).toFixed(1)} ${y(value).toFixed(1)}`).join('');
    svg.replaceChildren(
      ...marks.flatMap(value => [
        s('line', { class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
        s('text', { x: LEFT - 6, y: y(value) + 4, 'text-anchor': 'end' }, `${value}${unit ? ` ${unit}` : ''}`),
      ]),
      s('text', { x: LEFT, y: HEIGHT - 6 }, when(from)),
      s('text', { x: WIDTH - RIGHT, y: HEIGHT - 6, 'text-anchor': 'end' }, when(to)),
      s('path', { class: 'curve', d: line }),
      ...(all.length <= 60 ? all.map(([time, value]) => s('circle', { cx: x(time), cy: y(value), r: 2.5 })) : []),
      s('circle', { class: 'picked', r: 0 }));
  }

  svg.addEventListener('pointermove', event => {
    if (!all.length) return;
    const box = svg.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * WIDTH;
    const [time, value] = all.reduce((best, point) => Math.abs(view.x(point[0]) - at) < Math.abs(view.x(best[0]) - at) ? point : best);
    readout.textContent = `${when(time)}: ${value} ${unit ?? ''}`;
    const dot = svg.querySelector('.picked');
    dot.setAttribute('cx', view.x(time));
    dot.setAttribute('cy', view.y(value));
    dot.setAttribute('r', 4.5);
  });
  svg.addEventListener('pointerleave', draw);
  draw();
  return {
    node,
    add(time, value) {
      all.push([time, value]);
      all.sort((a, b) => a[0] - b[0]);
      draw();
    },
  };
}
