// What a device told and did.

import { button, h, json, nothing, part, request, row, table } from '/web/lib.js';
import { t, when } from '/web/i18n.js';

const KINDS = ['event', 'service', 'message', 'property'];

/** How many entries at first, and how many more each time; the hub gives 1000 at most. */
const PAGE = 30;
const MOST = 1000;

export function history(base) {
  let limit = PAGE;
  const kind = h('select', { name: 'kind', 'aria-label': t('kind') }, KINDS.map(each => h('option', { value: each }, t(`kind.${each}`))));
  const { node, refresh } = part(t('history'), async () => {
    const entries = await request('GET', `${base}/history?${new URLSearchParams({ kind: kind.value, limit })}`);
    const answer = entry => entry.code == null ? '' : h('span', { class: entry.code === 200 ? '' : 'bad' }, `${entry.code} `, json(entry.output));
    const more = entries.length === limit && limit < MOST;
    return [
      h('div', { class: 'row' }, kind),
      entries.length ? table([t('time'), t('name'), t('content'), t('answer')], entries.map(entry =>
        row(when(entry.time), entry.identifier, json(entry.data), answer(entry)))) : nothing(t('empty')),
      more && button(t('more'), () => { limit = Math.min(limit + PAGE * 3, MOST); refresh(); }),
    ];
  }, { testid: 'history' });
  kind.addEventListener('change', () => { limit = PAGE; refresh(); });
  return { node, refresh, told: of => { if (of === kind.value) refresh(); } };
}
