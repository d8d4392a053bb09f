// Properties of a device: last values, curves, and a form to set them.

import { button, h, nothing, part, request } from '/web/lib.js';
import { t, when } from '/web/i18n.js';
import { features, form, isNumber, shown, title, unit } from '/web/model.js';
import { chart } from '/web/chart.js';

/** How much of the history a curve shows. */
const POINTS = 1000;

/** `told` is for values that come while it is looked at. */
export function properties(base, tsl) {
  const listed = features(tsl, 'properties');
  const lines = new Map();
  const body = h('tbody');

  function line(item) {
    const value = h('td', { testid: `value-${item.identifier}` }, '–');
    const time = h('td');
    const below = h('td', { colspan: 3 });
    const curve = h('tr', { hidden: true }, below);
    const entry = { item, value, time, curve: null, open: false };
    const toggle = async () => {
      entry.open = !entry.open;
      curve.hidden = !entry.open;
      entry.curve = null;
      if (!entry.open) return;
      below.replaceChildren(t('loading'));
      try {
        const query = new URLSearchParams({ kind: 'property', identifier: item.identifier, limit: POINTS });
        const kept = await request('GET', `${base}/history?${query}`);
        const points = kept.map(each => [Date.parse(each.time), each.data]).filter(([, number]) => typeof number === 'number');
        entry.curve = chart(title(item), unit(item), points);
        below.replaceChildren(entry.curve.node);
      } catch (error) {
        below.replaceChildren(h('p', { class: 'bad' }, error.message));
      }
    };
    entry.button = button('∿', toggle, { title: t('curve'), 'aria-label': t('curve'), testid: `curve-${item.identifier}`, hidden: true });
    entry.node = h('tr', {}, h('td', {}, title(item), ' ', entry.button), value, time);
    body.append(entry.node, curve);
    lines.set(item.identifier, entry);
    return entry;
  }

  function put(identifier, value, time, isNew) {
    const entry = lines.get(identifier) ?? line({ identifier });
    entry.value.textContent = shown(entry.item, value);
    entry.time.textContent = when(time);
    entry.button.hidden = !isNumber(entry.item);
    if (!isNew) return;
    if (typeof value === 'number') entry.curve?.add(Date.parse(time), value);
    entry.node.classList.remove('new');
    void entry.node.offsetWidth;
    entry.node.classList.add('new');
  }

  const settable = listed.filter(item => item.accessMode !== 'r');
  const set = values => request('PATCH', `${base}/properties`, values).then(() => t('isSet'));
  const { node, refresh } = part(t('properties'), async () => {
    const last = await request('GET', `${base}/properties`);
    for (const item of listed) if (!lines.has(item.identifier)) line(item);
    for (const [identifier, { value, time }] of Object.entries(last)) put(identifier, value, time);
    if (!lines.size) return nothing(t('empty'));
    return h('table', {}, h('thead', {}, h('tr', {}, [t('name'), t('value'), t('time')].map(text => h('th', {}, text)))), body);
  }, { testid: 'properties', beside: settable.length ? [h('h3', {}, t('set')), form(settable, t('set'), set, 'set')] : [] });
  const told = data => {
    for (const [identifier, { value, time }] of Object.entries(data)) put(identifier, value, time, true);
  };
  return { node, refresh, told };
}
