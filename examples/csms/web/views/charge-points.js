// All charge points with their connectors, as they change.

import * as api from '../lib/api.js';
import * as live from '../lib/live.js';
import { coalesce, fill, h } from '../lib/dom.js';
import { t, word } from '../lib/i18n.js';
import { timeNode } from '../lib/format.js';
import { go, link } from '../lib/router.js';
import { may } from '../lib/session.js';
import { form } from '../lib/form.js';
import { openDialog } from '../lib/dialog.js';
import { filterBar, table } from '../lib/table.js';
import { badge, button, heading, onlineBadge, tone } from '../lib/ui.js';
import { keyDialog } from './charge-point-key.js';

const STATUSES = ['Available', 'Preparing', 'Charging', 'SuspendedEV', 'SuspendedEVSE', 'Finishing', 'Reserved', 'Unavailable', 'Faulted'];
const CHANGES = ['connected', 'disconnected', 'booted', 'status', 'transactionStarted', 'transactionStopped', 'heldBack'];
// With more changes than this at once the page of the list is fetched instead of each charge point.
const MOST_SINGLE = 10;

export function chargePointsView({ outlet, query, signal }) {
  const filters = filterBar(
    [
      { name: 'q', label: t('search'), type: 'search', value: query.q, placeholder: t('chargePoints.searchHint') },
      { name: 'connected', label: t('connection'), type: 'select', value: query.connected, options: [['', t('any')], ['true', t('online')], ['false', t('offline')]] },
      { name: 'status', label: t('connectorStatus'), type: 'select', value: query.status, options: [['', t('any')], ...STATUSES.map((status) => [status, word(status)])] },
    ],
    () => list.reload(),
  );
  const list = table({
    testid: 'charge-points',
    caption: t('view.charge-points'),
    rowId: 'charge-point',
    key: (item) => item.id,
    empty: t('chargePoints.empty'),
    columns: [
      { label: t('chargePoint'), class: 'lead', cell: (item) => [h('a', { class: 'strong', href: link('charge-points', item.id) }, item.id), item.note && h('small', { class: 'muted' }, item.note)] },
      { label: t('connection'), cell: (item) => onlineBadge(item.connected) },
      { label: t('connectors'), cell: (item) => connectorRow(item) },
      { label: t('model'), cell: (item) => [item.vendor, item.model].filter(Boolean).join(' ') || '–' },
      { label: t('firmware'), cell: (item) => item.firmwareVersion || '–' },
      { label: t('lastSeen'), cell: (item) => timeNode(item.lastSeenAt) },
    ],
    fetch: (cursor) => api.get('/charge-points', { ...filters.values(), cursor }, signal),
  });
  const summary = h('div', { class: 'tiles', id: 'summary' });
  const reload = coalesce(() => list.reload(), 500, signal);
  const count = coalesce(() => showSummary(summary, filters, list, signal), 1000, signal);
  followChanges(list, reload, signal, count);
  fill(
    outlet,
    heading(t('view.charge-points'), may('operator') && button(t('chargePoints.add'), () => addDialog(), { kind: 'primary', testid: 'add-charge-point' })),
    summary,
    filters.node,
    list.node,
  );
  list.reload();
  showSummary(summary, filters, list, signal);
}

function connectorRow(item) {
  const connectors = item.connectors.filter(({ connector }) => connector > 0);
  if (connectors.length === 0) return h('span', { class: 'muted' }, '–');
  return h(
    'span',
    { class: 'connector-row' },
    connectors.map(({ connector, status, errorCode }) => {
      const fault = errorCode && errorCode !== 'NoError' ? ` (${errorCode})` : '';
      return h('span', { class: `badge ${tone(status)}`, title: `${status}${fault}`, 'data-word': status }, `${connector} ${word(status)}`);
    }),
  );
}

/** Fetches what changed, several changes of one charge point at once. */
function followChanges(list, reload, signal, count) {
  const changed = new Set();
  const fetchChanged = coalesce(async () => {
    const ids = [...changed];
    changed.clear();
    if (ids.length > MOST_SINGLE || ids.some((id) => !list.has(id))) return reload();
    for (const id of ids) {
      const item = await api.get(api.path('charge-points', id), null, signal).catch(() => null);
      if (item && !signal.aborted) list.update(item);
    }
  }, 300, signal);
  for (const kind of CHANGES) {
    live.on(kind, (event) => {
      changed.add(event.chargePoint);
      fetchChanged();
      count();
    }, signal);
  }
  live.on('refresh', () => (reload(), count()), signal);
}

async function showSummary(node, filters, list, signal) {
  const questions = [
    ['all', {}],
    ['online', { connected: 'true' }],
    ['Charging', { status: 'Charging' }],
    ['Faulted', { status: 'Faulted' }],
  ];
  const counts = await Promise.all(questions.map(([, query]) => api.get('/charge-points', { ...query, limit: 1 }, signal).catch(() => null)));
  if (signal.aborted) return;
  fill(
    node,
    questions.map(([name, query], index) => {
      const total = counts[index]?.total;
      if (typeof total !== 'number') return null;
      const label = name === 'all' ? t('chargePoints.all') : name === 'online' ? t('online') : word(name);
      const pick = () => {
        filters.inputs.connected.value = query.connected ?? '';
        filters.inputs.status.value = query.status ?? '';
        list.reload();
      };
      return h('button', { type: 'button', class: `tile tile-${name.toLowerCase()}`, testid: `tile-${name}`, onclick: pick }, h('strong', {}, String(total)), h('span', {}, label));
    }),
  );
}

function addDialog() {
  openDialog(
    t('chargePoints.add'),
    (close) =>
      form({
        testid: 'add-form',
        submit: t('add'),
        fields: [
          { name: 'id', label: t('identity'), required: true, maxlength: 48, hint: t('chargePoints.idHint') },
          { name: 'note', label: t('note') },
          { name: 'bootPolicy', label: t('bootPolicy'), type: 'select', options: [['', t('bootPolicy.default')], ['accept', t('bootPolicy.accept')], ['pending', t('bootPolicy.pending')], ['reject', t('bootPolicy.reject')]] },
          { name: 'securityProfile', label: t('securityProfile'), type: 'select', number: true, hint: t('securityProfile.hint'), options: ['0', '1', '2', '3'] },
          { name: 'generate', label: t('key.generateNow'), type: 'check' },
        ],
        async onsubmit({ generate, ...body }) {
          const created = await api.post('/charge-points', body);
          close();
          go('charge-points', created?.id ?? body.id);
          if (generate) keyDialog(created?.id ?? body.id, true);
        },
      }).node,
    { testid: 'add-dialog' },
  );
}
