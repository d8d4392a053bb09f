// What charge points reported about their own security.

import * as api from '../lib/api.js';
import * as live from '../lib/live.js';
import { coalesce, fill, h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { text, timeNode } from '../lib/format.js';
import { link } from '../lib/router.js';
import { filterBar, table } from '../lib/table.js';
import { heading } from '../lib/ui.js';

export function securityEventsView({ outlet, query, signal }) {
  const filters = filterBar([{ name: 'chargePoint', label: t('chargePoint'), type: 'search', value: query.chargePoint }], () => list.reload());
  const list = table({
    testid: 'security-events',
    caption: t('view.security-events'),
    key: (item) => item.id,
    columns: [
      { label: t('time'), class: 'lead', cell: (item) => timeNode(item.happenedAt ?? item.at) },
      { label: t('chargePoint'), cell: (item) => h('a', { href: link('charge-points', item.chargePoint) }, item.chargePoint) },
      { label: t('kind'), cell: (item) => h('strong', {}, item.kind ?? item.type) },
      { label: t('detail'), cell: (item) => h('span', { class: 'break' }, text(item.techInfo)) },
      { label: t('receivedAt'), cell: (item) => timeNode(item.receivedAt) },
    ],
    fetch: (cursor) => api.get('/security-events', { ...filters.values(), cursor }, signal),
  });
  const reload = coalesce(() => list.reload(), 500, signal);
  for (const kind of ['securityEvent', 'refresh']) live.on(kind, reload, signal);
  list.reload();
  fill(outlet, heading(t('view.security-events')), filters.node, list.node);
}
