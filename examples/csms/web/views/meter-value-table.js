// Every meter value of a transaction, or of a charge point, as it was sent, on demand.

import * as api from '../lib/api.js';
import { h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { text, timeNode } from '../lib/format.js';
import { measurandOf } from '../lib/series.js';
import { table } from '../lib/table.js';
import { badge, fold } from '../lib/ui.js';

const SHOWN = 48;

export function meterValueTable({ where, ofChargePoint = false, signal }) {
  let index = 0;
  const list = table({
    testid: 'meter-values',
    key: (item) => item.row,
    columns: [
      { label: t('time'), class: 'lead', cell: (item) => timeNode(item.measuredAt) },
      ofChargePoint && { label: t('connector'), cell: (item) => String(item.connector) },
      ofChargePoint && { label: t('transaction'), cell: (item) => text(item.transactionId) },
      { label: t('measurand'), cell: (item) => measurandOf(item) },
      { label: t('value'), class: 'number', cell: (item) => value(item) },
      { label: t('unit'), cell: (item) => text(item.unit) },
      { label: t('phase'), cell: (item) => text(item.phase) },
      { label: t('location'), cell: (item) => text(item.location) },
      { label: t('context'), cell: (item) => text(item.context) },
    ].filter(Boolean),
    // Two values may be alike in every member, so each row has a number of its own.
    fetch: async (cursor) => {
      const page = await api.get(`${where}/meter-values`, { limit: 200, cursor }, signal);
      return { ...page, items: page.items.map((item) => ({ ...item, row: (index += 1) })) };
    },
  });
  const node = fold(t('meterValues'), { testid: 'meter-values-fold' }, list.node);
  node.addEventListener('toggle', () => node.open && list.reload());
  return node;
}

function value(item) {
  if (item.format !== 'SignedData') return h('span', { class: 'mono' }, item.value);
  const short = item.value.length > SHOWN ? `${item.value.slice(0, SHOWN)}…` : item.value;
  return h('span', { class: 'mono break', title: t('signedData') }, badge('SignedData', 'busy', t('signedData')), ' ', short);
}
