// What is wanted of a device, and its tags.

import { h, json, nothing, outcome, part, request, row, table } from '/web/lib.js';
import { t } from '/web/i18n.js';
import { parsed } from '/web/model.js';

export function wanted(base) {
  const text = h('textarea', { name: 'desired', placeholder: '{"PowerSwitch": 1}', 'aria-label': t('wanted') });
  const told = outcome('desired-outcome');
  const change = event => {
    event.preventDefault();
    return told.run(async () => {
      await request('PATCH', `${base}/desired`, parsed(text.value));
      await desired.refresh();
    });
  };
  const form = h('form', { onsubmit: change, testid: 'desired' }, h('p', { class: 'muted' }, t('wantedHint')),
    h('div', { class: 'row' }, text, h('button', { testid: 'desired-submit' }, t('save'))), told.node);
  const entries = (of, empty, heads, cells) => {
    const all = Object.entries(of);
    return all.length ? table(heads, all.map(cells)) : nothing(empty);
  };
  const desired = part(t('wanted'), async () => entries(await request('GET', `${base}/desired`), t('empty'),
    [t('name'), t('value'), t('version')], ([name, { value, version }]) => row(name, json(value), version)), { testid: 'wanted', beside: [form] });
  const tags = part(t('tags'), async () => entries(await request('GET', `${base}/tags`), t('empty'),
    [t('name'), t('value')], ([name, value]) => row(name, value)));
  const shadow = part(t('shadow'), async () => {
    const document = await request('GET', `${base}/shadow`).catch(error => {
      if (error.status === 404) return null;
      throw error;
    });
    return document ? h('pre', {}, JSON.stringify(document, null, 1)) : nothing(t('empty'));
  });
  return [desired.node, tags.node, shadow.node];
}
