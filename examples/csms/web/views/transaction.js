// One transaction: its figures, its curves, and every meter value.

import * as api from '../lib/api.js';
import * as live from '../lib/live.js';
import { coalesce, fill, h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { duration, energy, timeNode, toInput } from '../lib/format.js';
import { problemNode } from '../lib/problem.js';
import { link } from '../lib/router.js';
import { may } from '../lib/session.js';
import { attempt, outcome } from '../lib/outcome.js';
import { form } from '../lib/form.js';
import { openDialog } from '../lib/dialog.js';
import { badge, button, card, heading, linkButton, pairs } from '../lib/ui.js';
import { curves } from './transaction-curves.js';
import { meterValueTable } from './meter-value-table.js';
import { elapsed, markBadges, stateBadges } from './transactions.js';

// Bounds of what the page draws; the table pages through everything.
const PAGE = 500;
const MOST_VALUES = 20000;

export async function transactionView({ outlet, params, signal }) {
  const where = api.path('transactions', params.id);
  const state = h('span', { id: 'transaction-state' });
  const figures = h('div', { id: 'transaction' });
  const pictures = h('div', { class: 'stack', id: 'curves' });
  const place = outcome('outcome-RemoteStopTransaction');
  const stop = button(t('stop'), () => attempt(place, 'RemoteStopTransaction', () => api.command(current.chargePoint, 'RemoteStopTransaction', { transactionId: current.id }), (answer) => place.answered('RemoteStopTransaction', answer)), { kind: 'danger', testid: 'stop-transaction' });
  stop.hidden = true;
  const close = button(t('transaction.close'), () => closeDialog(where, current, () => reload()), { testid: 'close-transaction' });
  close.hidden = true;
  const download = linkButton(t('signedData.download'), api.address(`${where}/signed-data`), { download: `transaction-${params.id}-signed-data`, testid: 'signed-data' });
  download.hidden = true;
  let current = null;
  fill(outlet, h('p', { class: 'crumb' }, h('a', { href: link('transactions') }, t('view.transactions'))), heading(t('transaction.number', { id: params.id }), state, may('operator') && stop, may('operator') && close, download), place.node, card(null, figures), pictures, meterValueTable({ where, signal }));

  const values = valueFetcher(`${where}/meter-values`, signal);
  const drawn = curves(signal);
  fill(pictures, drawn.node);
  const reload = async () => {
    try {
      current = await api.get(where, null, signal);
      fill(state, stateBadges(current));
      fill(figures, pairs(rows(current)));
      stop.hidden = !(current.active ?? !current.stoppedAt);
      close.hidden = stop.hidden;
      const all = await values();
      if (signal.aborted) return;
      download.hidden = !all.some((value) => value.format === 'SignedData');
      drawn.update(all, current);
    } catch (error) {
      if (!signal.aborted) fill(figures, problemNode(error));
    }
  };
  const soon = coalesce(reload, 300, signal);
  const mine = (event) => String(event.transactionId ?? event.id) === params.id;
  // The server may take a second to write meter values down.
  const later = coalesce(reload, 1200, signal);
  live.on('meterValues', (event) => mine(event) && later(), signal);
  live.on('transactionStopped', (event) => mine(event) && (soon(), later()), signal);
  live.on('refresh', soon, signal);
  reload();
}

function rows(item) {
  const corrected = (time) => time && h('span', { class: 'muted' }, ' (', t('transaction.corrected'), ' ', timeNode(time), ')');
  return [
    [t('chargePoint'), h('span', {}, h('a', { href: link('charge-points', item.chargePoint) }, item.chargePoint), ` / ${item.connector}`)],
    [t('idTag'), h('span', {}, item.idTag, ' ', badge(item.idTagStatus))],
    [t('energy'), h('span', {}, h('strong', { testid: 'transaction-energy' }, energy(item.energyWh)), item.energyOrigin && [' ', badge(item.energyOrigin, item.energyOrigin === 'estimated' ? 'hold' : 'plain', t(`energyOrigin.${item.energyOrigin}`))])],
    [t('marks'), item.marks?.length > 0 ? h('span', { class: 'connector-row', testid: 'transaction-marks' }, markBadges(item)) : null],
    [t('duration'), duration(elapsed(item))],
    [t('startedAt'), h('span', {}, timeNode(item.startedAt), corrected(item.correctedStartedAt))],
    [t('stoppedAt'), item.stoppedAt && h('span', {}, timeNode(item.stoppedAt), corrected(item.correctedStoppedAt), item.estimated && [' ', badge('estimated', 'hold', t('transaction.estimated'))])],
    [t('transaction.closedBy'), item.closedBy],
    [t('meterStart'), energy(item.startMeterWh)],
    [t('meterStop'), item.stoppedAt ? energy(item.stopMeterWh) : energy(item.lastMeterWh)],
    [t('stopReason'), badge(item.stopReason, 'plain')],
    [t('stopIdTag'), item.stopIdTag],
    [t('reservation'), item.reservationId],
  ];
}

/** Closes a transaction whose stop never came: at a register and a time, or at the last register that is known. */
function closeDialog(where, transaction, changed) {
  openDialog(t('transaction.close'), (done) => [
    h('p', {}, t('transaction.closeAbout')),
    form({
      testid: 'close-form',
      submit: t('transaction.close'),
      kind: 'danger',
      fields: [
        { name: 'meterWh', label: t('transaction.closeMeter'), type: 'number', min: 0, step: 1, hint: t('transaction.closeHint') },
        { name: 'at', label: t('stoppedAt'), type: 'datetime', value: transaction.lastMeterAt && toInput(new Date(transaction.lastMeterAt)) },
      ],
      async onsubmit({ meterWh, at }) {
        await api.post(`${where}/close`, meterWh === undefined ? {} : { meterWh, at });
        done();
        changed();
      },
    }).node,
  ]);
}

/** Fetches all values at first and then only from the last page on, because older ones do not change. */
function valueFetcher(where, signal) {
  let kept = [];
  let cursor = null;
  return async () => {
    const values = [...kept];
    for (;;) {
      const page = await api.get(where, { limit: PAGE, cursor }, signal);
      values.push(...page.items);
      if (!page.nextCursor || values.length >= MOST_VALUES) return values;
      kept = [...values];
      cursor = page.nextCursor;
    }
  };
}
