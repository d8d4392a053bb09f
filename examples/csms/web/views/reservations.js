// The reservations of all charge points.

import { fill } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { heading } from '../lib/ui.js';
import { reservationParts } from './reservation-parts.js';

export function reservationsView({ outlet, signal }) {
  fill(outlet, heading(t('view.reservations')), reservationParts({ signal }));
}
