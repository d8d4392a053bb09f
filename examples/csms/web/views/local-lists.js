// The local lists of all charge points: which version each has.

import * as api from '../lib/api.js';
import { fill, h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { text } from '../lib/format.js';
import { link } from '../lib/router.js';
import { may } from '../lib/session.js';
import { attempt, outcome } from '../lib/outcome.js';
import { filterBar, table } from '../lib/table.js';
import { button, heading, linkButton, onlineBadge } from '../lib/ui.js';

export function localListsView({ outlet, signal }) {
  const place = outcome('outcome-local-lists');
  const sendAll = (id) =>
    attempt(place, `SendLocalList ${id}`, () => api.post(api.path('charge-points', id, 'local-list'), { type: 'Full' }), (answer) => {
      place.answered(`SendLocalList ${id}`, answer);
      list.reload();
    });
  const filters = filterBar([{ name: 'q', label: t('search'), type: 'search' }], () => list.reload());
  const list = table({
    testid: 'local-lists',
    caption: t('view.local-lists'),
    key: (item) => item.id,
    columns: [
      { label: t('chargePoint'), class: 'lead', cell: (item) => h('a', { href: link('charge-points', item.id, 'local-list') }, item.id) },
      { label: t('connection'), cell: (item) => onlineBadge(item.connected) },
      { label: t('localList.version'), cell: (item) => (item.listVersion === -1 ? t('localList.unsupported') : text(item.listVersion)) },
      {
        label: t('actions'),
        cell: (item) =>
          h(
            'div',
            { class: 'actions' },
            linkButton(t('open'), link('charge-points', item.id, 'local-list')),
            may('operator') && button(t('localList.sendAll'), () => sendAll(item.id), { disabled: !item.connected }),
          ),
      },
    ],
    fetch: (cursor) => api.get('/charge-points', { ...filters.values(), cursor }, signal),
  });
  list.reload();
  fill(outlet, heading(t('view.local-lists')), h('p', { class: 'muted' }, t('localList.about')), filters.node, place.node, list.node);
}
