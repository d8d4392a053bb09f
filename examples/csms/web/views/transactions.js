// The transactions, newest first, and the stops that belong to none.

import * as api from '../lib/api.js';
import * as live from '../lib/live.js';
import { coalesce, fill, h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { duration, energy, timeNode } from '../lib/format.js';
import { link } from '../lib/router.js';
import { filterBar, table } from '../lib/table.js';
import { badge, fold, heading } from '../lib/ui.js';

export function transactionsView({ outlet, query, signal }) {
  const filters = filterBar(
    [
      { name: 'chargePoint', label: t('chargePoint'), type: 'search', value: query.chargePoint },
      { name: 'connector', label: t('connector'), type: 'number', min: 0, step: 1 },
      { name: 'idTag', label: t('idTag'), type: 'search', value: query.idTag },
      { name: 'active', label: t('state'), type: 'select', value: query.active, options: [['', t('any')], ['true', t('transaction.running')], ['false', t('transaction.ended')]] },
      { name: 'from', label: t('from'), type: 'datetime' },
      { name: 'to', label: t('to'), type: 'datetime' },
    ],
    () => list.reload(),
  );
  const list = table({
    testid: 'transactions',
    caption: t('view.transactions'),
    rowId: 'transaction',
    key: (item) => item.id,
    columns: [
      { label: 'ID', class: 'lead', cell: (item) => h('a', { class: 'strong', href: link('transactions', item.id) }, String(item.id)) },
      { label: t('chargePoint'), cell: (item) => [h('a', { href: link('charge-points', item.chargePoint) }, item.chargePoint), ` / ${item.connector}`] },
      { label: t('idTag'), cell: (item) => item.idTag },
      { label: t('startedAt'), cell: (item) => timeNode(item.startedAt) },
      { label: t('duration'), cell: (item) => duration(elapsed(item)) },
      { label: t('energy'), class: 'number', cell: (item) => energy(item.energyWh) },
      { label: t('state'), cell: (item) => stateBadges(item) },
    ],
    fetch: (cursor) => api.get('/transactions', { ...filters.values(), cursor }, signal),
  });
  const reload = coalesce(() => list.reload(), 500, signal);
  for (const kind of ['transactionStarted', 'refresh']) live.on(kind, reload, signal);
  live.on('transactionStopped', (transaction) => !list.update(transaction) && reload(), signal);
  list.reload();
  fill(outlet, heading(t('view.transactions')), filters.node, list.node, unknownStops(signal));
}

/** How long it took by the charge point's clock; while it runs, since the server learnt of it. */
export function elapsed(item) {
  if (item.stoppedAt) return Date.parse(item.stoppedAt) - Date.parse(item.startedAt);
  return Date.now() - Date.parse(item.startReceivedAt ?? item.startedAt);
}

/** What was odd about it. */
export const markBadges = (item) => (item.marks ?? []).map((mark) => badge(mark, 'hold', t(`mark.${mark}`)));

/** Running or ended, why, and whether the numbers are estimates. */
export function stateBadges(item) {
  const running = item.active ?? !item.stoppedAt;
  return h(
    'span',
    { class: 'connector-row' },
    running ? badge('running', 'busy', t('transaction.running')) : item.stopReason ? badge(item.stopReason, 'plain') : badge('ended', 'plain', t('transaction.ended')),
    item.estimated && badge('estimated', 'hold', t('transaction.estimated')),
    item.idTagStatus && item.idTagStatus !== 'Accepted' && badge(item.idTagStatus),
    markBadges(item),
  );
}

function unknownStops(signal) {
  const list = table({
    testid: 'unknown-stops',
    key: (item) => `${item.chargePoint} ${item.transactionId} ${item.idTag} ${item.stoppedAt} ${item.stopMeterWh ?? item.stopMeter}`,
    columns: [
      { label: t('chargePoint'), class: 'lead', cell: (item) => item.chargePoint },
      { label: t('transaction'), cell: (item) => String(item.transactionId) },
      { label: t('idTag'), cell: (item) => item.idTag },
      { label: t('stoppedAt'), cell: (item) => timeNode(item.stoppedAt) },
      { label: t('meterStop'), class: 'number', cell: (item) => energy(item.stopMeterWh ?? item.stopMeter) },
      { label: t('stopReason'), cell: (item) => badge(item.stopReason, 'plain') },
      { label: t('unknownStops.attributedTo'), cell: (item) => (item.attributedTo ? h('a', { href: link('transactions', item.attributedTo) }, String(item.attributedTo)) : '–') },
    ],
    fetch: (cursor) => api.get('/unknown-stops', { cursor }, signal),
  });
  const node = fold(t('unknownStops'), { testid: 'unknown-stops-fold' }, h('p', { class: 'muted' }, t('unknownStops.about')), list.node);
  node.addEventListener('toggle', () => node.open && list.reload());
  return node;
}
