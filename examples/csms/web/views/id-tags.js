// The tags that may charge, or may not.

import * as api from '../lib/api.js';
import { fill, h } from '../lib/dom.js';
import { t, word } from '../lib/i18n.js';
import { text, timeNode, toInput } from '../lib/format.js';
import { link } from '../lib/router.js';
import { may } from '../lib/session.js';
import { form } from '../lib/form.js';
import { confirmDialog, openDialog } from '../lib/dialog.js';
import { problemTitle } from '../lib/problem.js';
import { filterBar, table } from '../lib/table.js';
import { actions, badge, button, heading, toast } from '../lib/ui.js';

const STATUSES = ['Accepted', 'Blocked', 'Expired', 'Invalid'];

export function idTagsView({ outlet, query, signal }) {
  const filters = filterBar(
    [
      { name: 'q', label: t('search'), type: 'search', value: query.q },
      { name: 'status', label: t('status'), type: 'select', options: [['', t('any')], ...STATUSES.map((status) => [status, word(status)])] },
      { name: 'group', label: t('group'), type: 'search' },
    ],
    () => list.reload(),
  );
  const block = async (item) => {
    try {
      await api.patch(api.path('id-tags', item.idTag), { status: item.status === 'Blocked' ? 'Accepted' : 'Blocked' });
      list.reload();
    } catch (error) {
      toast(problemTitle(error), 'bad');
    }
  };
  const remove = (item) =>
    confirmDialog(t('idTags.deleteQuestion', { idTag: item.idTag }), t('delete'), async () => {
      await api.remove(api.path('id-tags', item.idTag));
      list.reload();
    });
  const list = table({
    testid: 'id-tags',
    caption: t('view.id-tags'),
    rowId: 'id-tag',
    key: (item) => item.idTag,
    columns: [
      { label: t('idTag'), class: 'lead', cell: (item) => [h('strong', { class: 'mono' }, item.idTag), item.tooLong && [' ', badge('tooLong', 'hold', t('idTags.tooLong'))]] },
      { label: t('status'), cell: (item) => badge(item.status) },
      { label: t('expiryDate'), cell: (item) => timeNode(item.expiryDate) },
      { label: t('parentIdTag'), cell: (item) => text(item.parentIdTag) },
      { label: t('group'), cell: (item) => text(item.group) },
      { label: t('note'), cell: (item) => text(item.note) },
      {
        label: t('actions'),
        cell: (item) =>
          actions(
            may('operator') && button(t('edit'), () => editDialog(item, list.reload), { testid: `edit-tag-${item.idTag}` }),
            may('operator') && button(t(item.status === 'Blocked' ? 'unblock' : 'block'), () => block(item), { testid: `block-tag-${item.idTag}` }),
            h('a', { class: 'button', href: `${link('transactions')}?idTag=${encodeURIComponent(item.idTag)}` }, t('view.transactions')),
            may('admin') && button(t('delete'), () => remove(item), { kind: 'danger', testid: `delete-tag-${item.idTag}` }),
          ),
      },
    ],
    fetch: (cursor) => api.get('/id-tags', { ...filters.values(), cursor }, signal),
  });
  list.reload();
  fill(outlet, heading(t('view.id-tags'), may('operator') && button(t('idTags.add'), () => editDialog(null, list.reload), { kind: 'primary', testid: 'add-tag' })), filters.node, list.node);
}

function editDialog(item, changed) {
  openDialog(item ? item.idTag : t('idTags.add'), (close) =>
    form({
      testid: 'tag-form',
      submit: t('save'),
      fields: [
        !item && { name: 'idTag', label: t('idTag'), required: true, maxlength: 255, hint: t('idTags.lengthHint') },
        { name: 'status', label: t('status'), type: 'select', value: item?.status ?? 'Accepted', options: STATUSES.map((status) => [status, word(status)]) },
        { name: 'expiryDate', label: t('expiryDate'), type: 'datetime', value: item?.expiryDate ? toInput(new Date(item.expiryDate)) : '', empty: null },
        { name: 'parentIdTag', label: t('parentIdTag'), value: item?.parentIdTag, maxlength: 20, empty: null, hint: t('idTags.parentHint') },
        { name: 'group', label: t('group'), value: item?.group, empty: null },
        { name: 'note', label: t('note'), value: item?.note, empty: null },
      ].filter(Boolean),
      async onsubmit(body) {
        if (item) await api.patch(api.path('id-tags', item.idTag), body);
        else await api.post('/id-tags', body);
        close();
        changed();
      },
    }).node,
  );
}
