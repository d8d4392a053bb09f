// Who did what.

import * as api from '../lib/api.js';
import { fill, h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { pretty, timeNode } from '../lib/format.js';
import { table } from '../lib/table.js';
import { heading } from '../lib/ui.js';

export function auditView({ outlet, signal }) {
  const list = table({
    testid: 'audit',
    caption: t('view.audit'),
    key: (item) => item.id,
    columns: [
      { label: t('time'), class: 'lead', cell: (item) => timeNode(item.at) },
      { label: t('audit.actor'), cell: (item) => item.actor },
      { label: t('action'), cell: (item) => h('strong', {}, item.action) },
      { label: t('audit.target'), cell: (item) => h('span', { class: 'break' }, item.target) },
      { label: t('audit.outcome'), cell: (item) => item.outcome },
      { label: t('detail'), cell: (item) => detail(item.detail) },
    ],
    fetch: (cursor) => api.get('/audit', { cursor }, signal),
  });
  list.reload();
  fill(outlet, heading(t('view.audit')), list.node);
}

function detail(value) {
  const body = value === null || value === undefined ? '' : pretty(value);
  if (body === '' || body === '{}') return '–';
  return h('details', {}, h('summary', {}, t('show')), h('pre', { class: 'code' }, body));
}
