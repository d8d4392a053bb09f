// What devices and the hub say, and who changed what.

import { button, h, json, nothing, part, request, row, table } from '/web/lib.js';
import { path, t, when } from '/web/i18n.js';

const PAGE = 100;
const MOST = 1000;

export async function log() {
  let limit = PAGE;
  const source = h('select', { name: 'source', 'aria-label': t('source') }, ['', 'hub', 'device', 'api'].map(value => h('option', { value }, t(`source.${value}`))));
  const level = it => h('span', { class: { error: 'bad', fatal: 'bad', warn: 'warn' }[it.level] ?? '' }, it.level);
  const device = it => it.deviceName ? h('a', { href: path('device', it.productKey, it.deviceName) }, it.deviceName, ` · ${it.productKey}`) : it.productKey;
  // Who and what of a change is in its content already.
  const details = it => it.source === 'api' ? it.details?.body : it.details;
  const list = part(null, async () => {
    const query = new URLSearchParams({ limit });
    if (source.value) query.set('source', source.value);
    const entries = await request('GET', `/log?${query}`);
    if (!entries.length) return nothing(t('empty'));
    return [
      table([t('time'), t('level'), t('source'), t('device'), t('content')], entries.map(it =>
        row(when(it.at), level(it), t(`source.${it.source}`), device(it), h('span', {}, it.content, details(it) ? [' ', json(details(it))] : '')))),
      entries.length === limit && limit < MOST && button(t('more'), () => { limit = Math.min(limit * 3, MOST); list.refresh(); }),
    ];
  }, { testid: 'log' });
  source.addEventListener('change', () => { limit = PAGE; list.refresh(); });
  return [[h('div', { class: 'row head' }, h('h1', {}, t('log')), source), list.node], kind => {
    if (kind === 'log' || kind === 'lagged') list.refresh();
  }];
}
