// The local authorisation list as far as it is known here, and sending it.

import * as api from '../../lib/api.js';
import { fill, h } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { text, timeNode } from '../../lib/format.js';
import { problemNode } from '../../lib/problem.js';
import { may } from '../../lib/session.js';
import { form } from '../../lib/form.js';
import { attempt, outcome } from '../../lib/outcome.js';
import { badge, button, card, pairs } from '../../lib/ui.js';

const EXAMPLE = [{ idTag: 'TAG-1', idTagInfo: { status: 'Accepted' } }, { idTag: 'TAG-2' }];

export function localList({ id, signal }) {
  const where = api.path('charge-points', id, 'local-list');
  const state = h('div', { id: 'local-list' });
  const place = outcome('outcome-local-list');
  const load = async () => {
    try {
      const list = await api.get(where, null, signal);
      fill(state, listNode(list));
    } catch (error) {
      if (!signal.aborted) fill(state, problemNode(error));
    }
  };
  const told = (action) => (answer) => (place.answered(action, answer), load());
  const refresh = () => attempt(place, 'GetLocalListVersion', () => api.post(`${where}/refresh`), told('GetLocalListVersion'));
  const sendAll = () => attempt(place, 'SendLocalList', () => api.post(where, { type: 'Full' }), told('SendLocalList'));
  load();
  return {
    node: h(
      'div',
      { class: 'stack' },
      card(
        t('tab.local-list'),
        may('operator') && h('div', { class: 'actions' }, button(t('localList.sendAll'), sendAll, { kind: 'primary', testid: 'send-full-list' }), button(t('localList.refresh'), refresh, { testid: 'refresh-list' })),
        place.node,
        state,
      ),
      may('operator') &&
        card(
          t('localList.send'),
          form({
            testid: 'local-list-form',
            submit: 'SendLocalList',
            fields: [
              { name: 'type', label: t('localList.type'), type: 'select', value: 'Differential', options: [['Differential', t('localList.Differential')], ['Full', t('localList.Full')]] },
              { name: 'entries', label: t('localList.entries'), type: 'json', value: EXAMPLE, hint: t('localList.entriesHint') },
            ],
            onsubmit: (body, inner) => attempt(inner, 'SendLocalList', () => api.post(where, body), (answer) => (inner.answered('SendLocalList', answer), load())),
          }).node,
        ),
    ),
  };
}

function listNode({ version, entries }) {
  const shown = version === -1 ? t('localList.unsupported') : version === null || version === undefined ? t('localList.unknown') : version;
  return [
    pairs([[t('localList.version'), h('strong', { testid: 'list-version' }, shown)], [t('localList.count'), entries.length]]),
    entries.length > 0 &&
      h(
        'div',
        { class: 'table-scroll' },
        h(
          'table',
          {},
          h('thead', {}, h('tr', {}, [t('idTag'), t('status'), t('expiryDate'), t('parentIdTag')].map((label) => h('th', { scope: 'col' }, label)))),
          h(
            'tbody',
            {},
            entries.map(({ idTag, idTagInfo }) =>
              h(
                'tr',
                {},
                h('td', { class: 'lead', 'data-label': t('idTag') }, idTag),
                h('td', { 'data-label': t('status') }, badge(idTagInfo?.status)),
                h('td', { 'data-label': t('expiryDate') }, timeNode(idTagInfo?.expiryDate)),
                h('td', { 'data-label': t('parentIdTag') }, text(idTagInfo?.parentIdTag)),
              ),
            ),
          ),
        ),
      ),
  ];
}
