// Users and API tokens.

import * as api from '../lib/api.js';
import { fill, h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { timeNode } from '../lib/format.js';
import { serverInfo } from '../lib/session.js';
import { form } from '../lib/form.js';
import { confirmDialog, openDialog } from '../lib/dialog.js';
import { table } from '../lib/table.js';
import { actions, button, card, heading } from '../lib/ui.js';

// The server takes no shorter password.
const SHORTEST = 10;
const ROLES = () => ['viewer', 'operator', 'admin'].map((role) => [role, t(`role.${role}`)]);

export function usersView({ outlet, signal }) {
  fill(outlet, heading(t('view.users')), users(signal), tokens(signal));
}

function users(signal) {
  const remove = (name) => confirmDialog(t('users.deleteQuestion', { name }), t('delete'), async () => {
    await api.remove(api.path('users', name));
    list.reload();
  });
  const list = table({
    testid: 'users',
    caption: t('users'),
    rowId: 'user',
    key: (item) => item.name,
    columns: [
      { label: t('name'), class: 'lead', cell: (item) => h('strong', {}, item.name) },
      { label: t('role'), cell: (item) => t(`role.${item.role}`) },
      { label: t('createdAt'), cell: (item) => timeNode(item.createdAt) },
      { label: t('actions'), cell: (item) => actions(button(t('edit'), () => editDialog(item, list.reload)), button(t('delete'), () => remove(item.name), { kind: 'danger' })) },
    ],
    fetch: (cursor) => api.get('/users', { cursor }, signal),
  });
  const add = form({
    testid: 'user-form',
    submit: t('users.add'),
    fields: [
      { name: 'name', label: t('name'), required: true, maxlength: 64 },
      { name: 'password', label: t('login.password'), type: 'password', required: true, autocomplete: 'new-password', minlength: SHORTEST, hint: t('users.passwordHint', { shortest: SHORTEST }) },
      { name: 'role', label: t('role'), type: 'select', value: serverInfo().authentication ? 'viewer' : 'admin', options: ROLES() },
    ],
    async onsubmit(body, place) {
      await api.post('/users', body);
      add.node.reset();
      place.done(t('users.added', { name: body.name }));
      list.reload();
    },
  });
  list.reload();
  return card(t('users'), !serverInfo().authentication && h('p', { class: 'muted' }, t('users.openNote')), list.node, h('h3', {}, t('users.add')), add.node);
}

function editDialog(item, changed) {
  openDialog(item.name, (close) =>
    form({
      submit: t('save'),
      fields: [
        { name: 'password', label: t('users.newPassword'), type: 'password', autocomplete: 'new-password', minlength: SHORTEST, hint: t('users.keepPassword') },
        { name: 'role', label: t('role'), type: 'select', value: item.role, options: ROLES() },
      ],
      async onsubmit(body) {
        await api.patch(api.path('users', item.name), body);
        close();
        changed();
      },
    }).node,
  );
}

function tokens(signal) {
  const remove = (item) => confirmDialog(t('tokens.deleteQuestion', { name: item.name }), t('delete'), async () => {
    await api.remove(api.path('tokens', item.id));
    list.reload();
  });
  const list = table({
    testid: 'tokens',
    caption: t('tokens'),
    key: (item) => item.id,
    columns: [
      { label: t('name'), class: 'lead', cell: (item) => h('strong', {}, item.name) },
      { label: t('role'), cell: (item) => t(`role.${item.role}`) },
      { label: t('createdAt'), cell: (item) => timeNode(item.createdAt) },
      { label: t('expiresAt'), cell: (item) => timeNode(item.expiresAt) },
      { label: t('lastUsedAt'), cell: (item) => timeNode(item.lastUsedAt) },
      { label: t('actions'), cell: (item) => button(t('delete'), () => remove(item), { kind: 'danger' }) },
    ],
    fetch: (cursor) => api.get('/tokens', { cursor }, signal),
  });
  const shown = h('div', { testid: 'token-shown' });
  const add = form({
    testid: 'token-form',
    submit: t('tokens.add'),
    fields: [
      { name: 'name', label: t('name'), required: true, maxlength: 64 },
      { name: 'role', label: t('role'), type: 'select', value: 'viewer', options: ROLES() },
      { name: 'expiresAt', label: t('expiresAt'), type: 'datetime' },
    ],
    async onsubmit(body) {
      const { token } = await api.post('/tokens', body);
      add.node.reset();
      fill(shown, h('p', {}, t('tokens.once')), h('output', { class: 'secret mono' }, token));
      list.reload();
    },
  });
  list.reload();
  return card(t('tokens'), h('p', { class: 'muted' }, t('tokens.about')), list.node, h('h3', {}, t('tokens.add')), add.node, shown);
}
