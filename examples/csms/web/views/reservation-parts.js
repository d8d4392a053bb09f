// Making, listing and cancelling reservations, for one charge point or for all.

import * as api from '../lib/api.js';
import { h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { text, timeNode, toInput } from '../lib/format.js';
import { link } from '../lib/router.js';
import { may } from '../lib/session.js';
import { form } from '../lib/form.js';
import { attempt, outcome } from '../lib/outcome.js';
import { table } from '../lib/table.js';
import { badge, button, card } from '../lib/ui.js';

const HOUR = 3600000;
const CANCELLABLE = ['Accepted', 'Pending'];

/** `chargePoint` may be absent. Resolves to the parts of a view. */
export function reservationParts({ chargePoint, signal }) {
  const place = outcome('outcome-CancelReservation');
  const cancel = (item) =>
    attempt(place, 'CancelReservation', () => api.remove(api.path('reservations', String(item.id))), (answer) => {
      place.answered('CancelReservation', answer ?? {});
      list.reload();
    });
  const list = table({
    testid: 'reservations',
    caption: t('view.reservations'),
    rowId: 'reservation',
    key: (item) => item.id,
    columns: [
      { label: 'ID', class: 'lead', cell: (item) => String(item.id) },
      !chargePoint && { label: t('chargePoint'), cell: (item) => h('a', { href: link('charge-points', item.chargePoint) }, item.chargePoint) },
      { label: t('connector'), cell: (item) => String(item.connector) },
      { label: t('idTag'), cell: (item) => [item.idTag, item.parentIdTag && ` (${item.parentIdTag})`] },
      { label: t('expiryDate'), cell: (item) => timeNode(item.expiryDate) },
      { label: t('status'), cell: (item) => h('span', {}, badge(item.status), item.endReason ? [' ', badge(item.endReason)] : item.answer && item.answer !== item.status && [' ', badge(item.answer)]) },
      { label: t('transaction'), cell: (item) => (item.transactionId ? h('a', { href: link('transactions', item.transactionId) }, String(item.transactionId)) : text(null)) },
      may('operator') && { label: t('actions'), cell: (item) => CANCELLABLE.includes(item.status) && button(t('reservation.cancel'), () => cancel(item), { testid: `cancel-reservation-${item.id}` }) },
    ].filter(Boolean),
    fetch: (cursor) => api.get('/reservations', { chargePoint, cursor }, signal),
  });
  const make = form({
    testid: 'reservation-form',
    submit: t('reservation.make'),
    fields: [
      !chargePoint && { name: 'chargePoint', label: t('chargePoint'), required: true },
      { name: 'connector', label: t('connector'), type: 'number', value: 1, min: 0, step: 1, required: true },
      { name: 'idTag', label: t('idTag'), required: true, maxlength: 20 },
      { name: 'parentIdTag', label: t('parentIdTag'), maxlength: 20 },
      { name: 'expiryDate', label: t('expiryDate'), type: 'datetime', required: true, value: toInput(new Date(Date.now() + HOUR)) },
    ].filter(Boolean),
    onsubmit: (body, inner) =>
      attempt(inner, 'ReserveNow', () => api.post('/reservations', { chargePoint, ...body }), (reservation) => {
        inner.answered('ReserveNow', { status: reservation.answer ?? reservation.status, reservationId: reservation.id });
        list.reload();
      }),
  });
  list.reload();
  return [may('operator') && card(t('reservation.make'), make.node), card(t('view.reservations'), place.node, list.node)];
}
