// The reservations of one charge point.

import { h } from '../../lib/dom.js';
import { reservationParts } from '../reservation-parts.js';

export function reservations({ id, signal }) {
  return { node: h('div', { class: 'stack' }, reservationParts({ chargePoint: id, signal })) };
}
