// Files as a table, with download and delete.

import * as api from '../lib/api.js';
import { h } from '../lib/dom.js';
import { t, word } from '../lib/i18n.js';
import { bytes, timeNode } from '../lib/format.js';
import { link } from '../lib/router.js';
import { may } from '../lib/session.js';
import { confirmDialog } from '../lib/dialog.js';
import { table } from '../lib/table.js';
import { actions, badge, button, linkButton } from '../lib/ui.js';

/** `query` may be a function of nothing; `keep(file)` drops what the query does not. */
export function fileTable({ query, keep = () => true, signal }) {
  const remove = (file) =>
    confirmDialog(t('files.deleteQuestion', { name: file.name }), t('delete'), async () => {
      await api.remove(api.path('files', file.id));
      list.reload();
    });
  const list = table({
    testid: 'files',
    caption: t('view.files'),
    key: (file) => file.id,
    columns: [
      { label: t('name'), class: 'lead', cell: (file) => h('span', { class: 'break' }, file.name) },
      { label: t('kind'), cell: (file) => word(file.kind) },
      { label: t('chargePoint'), cell: (file) => (file.chargePoint ? h('a', { href: link('charge-points', file.chargePoint) }, file.chargePoint) : '–') },
      { label: t('size'), class: 'number', cell: (file) => bytes(file.size) },
      { label: t('state'), cell: (file) => (file.complete ? badge('complete', 'good', t('files.complete')) : badge('awaited', 'busy', t('files.awaited'))) },
      { label: 'SHA-256', cell: (file) => (file.sha256 ? h('span', { class: 'mono', title: file.sha256 }, `${file.sha256.slice(0, 12)}…`) : '–') },
      { label: t('createdAt'), cell: (file) => timeNode(file.createdAt) },
      {
        label: t('actions'),
        cell: (file) =>
          actions(
            file.complete ? linkButton(t('download'), api.address(api.path('files', file.id, 'content')), { download: file.name }) : null,
            may('admin') && button(t('delete'), () => remove(file), { kind: 'danger' }),
          ),
      },
    ],
    fetch: async (cursor) => {
      const page = await api.get('/files', { ...(typeof query === 'function' ? query() : query), cursor }, signal);
      return { ...page, total: undefined, items: page.items.filter(keep) };
    },
  });
  return list;
}
