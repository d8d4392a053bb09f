// A small line and step chart in SVG: axes with units and local times, one or more series, the values under the
// pointer or the arrow keys. All colours come from chart.css.

import { fill, h, s } from './dom.js';
import { locale } from './i18n.js';
import { NONE, number } from './format.js';

const HEIGHT = 260;
const MARGIN = { top: 16, right: 16, bottom: 34, left: 62 };
const MOST_POINTS = 2000;

/**
 * `series` are `{ label, points: [[milliseconds, value]], step }` in `unit`; `zero` starts the axis of values at zero.
 * Returns the node; `update(series)` draws anew.
 */
export function chart({ title, unit, series, zero = true, testid, signal }) {
  const svg = s('svg', { class: 'chart-svg', role: 'img', tabindex: '0', 'aria-label': title });
  const readout = h('div', { class: 'chart-readout', 'aria-live': 'polite', testid: testid && `${testid}-readout` });
  const legend = h('div', { class: 'chart-legend' });
  const node = h('figure', { class: 'chart', testid }, h('figcaption', {}, title, legend), h('div', { class: 'chart-frame' }, svg), readout);
  let current = prepared(series);
  let picked = null;
  let view = null;

  const draw = () => {
    const width = Math.max(280, Math.round(svg.parentElement.clientWidth || 640));
    view = layout(current, width, zero);
    svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    svg.setAttribute('height', HEIGHT);
    fill(svg, view ? [grid(view, unit), current.map((line, index) => curve(line, index, view, current.length === 1)), marker(view, current, picked)] : emptyNote(width));
    fill(legend, current.length > 1 && current.map((line, index) => h('span', { class: `key series-${index}` }, line.label)));
    node.dataset.points = String(Math.max(0, ...current.map((line) => line.points.length)));
  };
  const pick = (time) => {
    picked = time;
    const mark = view && svg.querySelector('.chart-mark');
    if (mark) mark.replaceWith(marker(view, current, picked));
    fill(readout, describe(current, picked, unit));
  };
  const times = () => [...new Set(current.flatMap((line) => line.points.map(([time]) => time)))].sort((a, b) => a - b);

  svg.addEventListener('pointermove', (event) => {
    if (!view) return;
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * view.width;
    pick(nearest(times(), view.time(x)));
  });
  svg.addEventListener('pointerleave', () => pick(null));
  svg.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !view) return;
    event.preventDefault();
    const all = times();
    const at = picked === null ? (step > 0 ? -1 : all.length) : all.indexOf(picked);
    pick(all[Math.min(all.length - 1, Math.max(0, at + step))]);
  });
  const observer = new ResizeObserver(() => draw());
  observer.observe(node);
  signal?.addEventListener('abort', () => observer.disconnect());

  return {
    node,
    update(next) {
      current = prepared(next);
      draw();
      if (picked !== null) pick(picked);
    },
  };
}

/** Series in time's order, thinned where there are more points than could be seen. */
function prepared(series) {
  return series
    .map((line) => ({ ...line, points: thinned([...line.points].sort((a, b) => a[0] - b[0])) }))
    .filter((line) => line.points.length > 0);
}

function thinned(points) {
  if (points.length <= MOST_POINTS) return points;
  const every = points.length / MOST_POINTS;
  const kept = Array.from({ length: MOST_POINTS }, (_, index) => points[Math.floor(index * every)]);
  kept.push(points[points.length - 1]);
  return kept;
}

function layout(series, width, zero) {
  const points = series.flatMap((line) => line.points);
  if (points.length === 0) return null;
  let [from, to, low, high] = [Infinity, -Infinity, zero ? 0 : Infinity, -Infinity];
  for (const [time, value] of points) {
    from = Math.min(from, time);
    to = Math.max(to, time);
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (from === to) [from, to] = [from - 30000, to + 30000];
  if (low === high) high = low + 1;
  const ticks = steps(low, high);
  [low, high] = [Math.min(low, ticks[0]), Math.max(high, ticks[ticks.length - 1])];
  const inner = width - MARGIN.left - MARGIN.right;
  const depth = HEIGHT - MARGIN.top - MARGIN.bottom;
  return {
    width, from, to, ticks,
    x: (time) => MARGIN.left + ((time - from) / (to - from)) * inner,
    y: (value) => MARGIN.top + (1 - (value - low) / (high - low)) * depth,
    time: (x) => from + ((x - MARGIN.left) / inner) * (to - from),
  };
}

/** Round values from below `low` to above `high`. */
function steps(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

const SPANS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

function timeTicks(view) {
  const most = Math.max(2, Math.floor((view.width - MARGIN.left - MARGIN.right) / 76));
  const span = (SPANS.find((seconds) => (view.to - view.from) / (seconds * 1000) <= most) ?? 2592000) * 1000;
  // Round in local time, which is what the labels show.
  const offset = new Date(view.from).getTimezoneOffset() * 60000;
  const ticks = [];
  for (let at = Math.ceil((view.from - offset) / span) * span + offset; at <= view.to; at += span) ticks.push(at);
  return { ticks, span };
}

function tickLabel(time, span) {
  const date = new Date(time);
  if (span >= 86400000) return date.toLocaleDateString(locale(), { month: '2-digit', day: '2-digit' });
  const options = { hour: '2-digit', minute: '2-digit', hour12: false };
  if (span < 60000) options.second = '2-digit';
  return date.toLocaleTimeString(locale(), options);
}

function grid(view, unit) {
  const bottom = HEIGHT - MARGIN.bottom;
  const right = view.width - MARGIN.right;
  const { ticks, span } = timeTicks(view);
  return s(
    'g',
    { class: 'chart-grid' },
    view.ticks.map((value) => [
      s('line', { x1: MARGIN.left, x2: right, y1: view.y(value), y2: view.y(value) }),
      s('text', { x: MARGIN.left - 8, y: view.y(value) + 4, 'text-anchor': 'end' }, number(value, 6)),
    ]),
    ticks.map((time) => [
      s('line', { class: 'tick', x1: view.x(time), x2: view.x(time), y1: bottom, y2: bottom + 5 }),
      s('text', { x: view.x(time), y: bottom + 19, 'text-anchor': 'middle' }, tickLabel(time, span)),
    ]),
    s('line', { class: 'axis', x1: MARGIN.left, x2: right, y1: bottom, y2: bottom }),
    s('text', { class: 'unit', x: 4, y: 12 }, unit),
  );
}

function curve(line, index, view, filled) {
  const parts = [];
  let before = null;
  for (const [time, value] of line.points) {
    const [x, y] = [view.x(time).toFixed(1), view.y(value).toFixed(1)];
    if (before === null) parts.push(`M${x} ${y}`);
    else if (line.step) parts.push(`H${x}V${y}`);
    else parts.push(`L${x} ${y}`);
    before = y;
  }
  const path = parts.join('');
  const [first, last] = [line.points[0], line.points[line.points.length - 1]];
  const floor = HEIGHT - MARGIN.bottom;
  const area = `${path}V${floor}H${view.x(first[0]).toFixed(1)}Z`;
  const few = line.points.length <= 40 && !line.step;
  return s(
    'g',
    { class: `series-${index}` },
    filled && line.points.length > 1 && s('path', { class: 'area', d: area }),
    s('path', { class: 'curve', d: path }),
    (few || last === first) && line.points.map(([time, value]) => s('circle', { class: 'dot', cx: view.x(time), cy: view.y(value), r: 3 })),
  );
}

function marker(view, series, time) {
  if (time === null) return s('g', { class: 'chart-mark' });
  const x = view.x(time);
  return s(
    'g',
    { class: 'chart-mark' },
    s('line', { x1: x, x2: x, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }),
    series.map((line, index) => {
      const value = valueAt(line, time);
      return value !== null && s('circle', { class: `series-${index} dot`, cx: x, cy: view.y(value), r: 4.5 });
    }),
  );
}

/** A step holds until the next point; between the points of a curve there is no value, so the point before counts. */
function valueAt(line, time) {
  let value = null;
  for (const [at, here] of line.points) {
    if (at > time) break;
    value = here;
  }
  return value;
}

function describe(series, time, unit) {
  if (time === null) return null;
  const at = new Date(time).toLocaleString(locale(), { hour12: false });
  return [h('time', {}, at), series.map((line, index) => h('span', { class: `key series-${index}` }, `${line.label}: `, h('strong', {}, `${number(valueAt(line, time), 3)} ${unit}`)))];
}

function nearest(times, wanted) {
  return times.reduce((best, time) => (Math.abs(time - wanted) < Math.abs(best - wanted) ? time : best), times[0]);
}

function emptyNote(width) {
  return s('text', { class: 'nothing', x: width / 2, y: HEIGHT / 2, 'text-anchor': 'middle' }, NONE);
}
