// Lists that are fetched page by page.

import { fill, h } from './dom.js';
import { t } from './i18n.js';
import { problemNode } from './problem.js';
import { field } from './form.js';
import { debounce } from './dom.js';
import { button } from './ui.js';

/**
 * A table over `fetch(cursor)`, which resolves with `{ items, nextCursor, total }`. `columns` are `{ label, cell, wide }`
 * with `cell(item)` the content. On narrow screens a row becomes a card with the labels beside the values;
 * its roles are written out, because a browser no longer takes it for a table then.
 */
export function table({ columns, fetch, key, testid, empty = t('list.empty'), caption, rowId }) {
  const body = h('tbody', { role: 'rowgroup' });
  const note = h('p', { class: 'list-note muted', role: 'status' });
  const more = button(t('list.more'), () => load(false), { testid: testid && `${testid}-more` });
  more.hidden = true;
  const rows = new Map();
  let cursor = null;
  let round = 0;

  const row = (item) =>
    h('tr', { role: 'row', testid: rowId && `${rowId}-${key(item)}` }, columns.map((column) => h('td', { role: 'cell', 'data-label': column.label, class: column.class }, column.cell(item))));
  const countText = (total) => (rows.size === 0 ? empty : typeof total === 'number' ? t('list.shownOf', { shown: rows.size, total }) : t('list.shown', { shown: rows.size }));

  async function load(fresh) {
    const mine = (round += 1);
    more.disabled = true;
    try {
      const page = await fetch(fresh ? null : cursor);
      if (mine !== round) return;
      if (fresh) {
        rows.clear();
        fill(body);
      }
      for (const item of page.items) {
        const id = key(item);
        if (rows.has(id)) continue;
        const node = row(item);
        rows.set(id, node);
        body.append(node);
      }
      cursor = page.nextCursor ?? null;
      fill(note, countText(page.total));
      more.hidden = !cursor;
    } catch (error) {
      if (error.name !== 'AbortError' && mine === round) fill(note, problemNode(error));
    } finally {
      more.disabled = false;
    }
  }

  const node = h(
    'div',
    { class: 'list', testid },
    h('div', { class: 'table-scroll' }, h('table', { role: 'table' }, caption && h('caption', { class: 'hidden-text' }, caption), h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, columns.map((column) => h('th', { role: 'columnheader', scope: 'col' }, column.label)))), body)),
    note,
    more,
  );
  return {
    node,
    reload: () => load(true),
    has: (id) => rows.has(id),
    size: () => rows.size,
    /** Puts a newer state of an item in its place; false if it is not shown. */
    update(item) {
      const id = key(item);
      const old = rows.get(id);
      if (!old) return false;
      const next = row(item);
      rows.set(id, next);
      old.replaceWith(next);
      return true;
    },
  };
}

/** A bar of filters; `onchange(values)` runs shortly after the last change. */
export function filterBar(fields, onchange) {
  const inputs = fields.map((spec) => ({ spec, ...field({ ...spec, testid: spec.testid ?? `filter-${spec.name}` }) }));
  const values = () =>
    Object.fromEntries(
      inputs.map(({ spec, input }) => {
        if (spec.type === 'check') return [spec.name, input.checked ? 'true' : ''];
        if (spec.type === 'datetime' && input.value) return [spec.name, new Date(input.value).toISOString()];
        return [spec.name, input.value.trim()];
      }),
    );
  const changed = debounce(() => onchange(values()), 250);
  const node = h('form', { class: 'filters', role: 'search', oninput: changed, onsubmit: (event) => event.preventDefault() }, inputs.map((input) => input.node));
  return { node, values, inputs: Object.fromEntries(inputs.map(({ spec, input }) => [spec.name, input])), changed };
}
