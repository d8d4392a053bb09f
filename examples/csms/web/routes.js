// Which view shows which address.

import { chargePointsView } from './views/charge-points.js';
import { chargePointView } from './views/charge-point.js';
import { transactionsView } from './views/transactions.js';
import { transactionView } from './views/transaction.js';
import { messagesView } from './views/messages.js';
import { idTagsView } from './views/id-tags.js';
import { chargingProfilesView } from './views/charging-profiles.js';
import { reservationsView } from './views/reservations.js';
import { localListsView } from './views/local-lists.js';
import { filesView } from './views/files.js';
import { securityEventsView } from './views/security-events.js';
import { auditView } from './views/audit.js';
import { usersView } from './views/users.js';
import { serverView } from './views/server.js';

export const ROUTES = [
  ['charge-points', chargePointsView],
  ['charge-points/:id/:tab?', chargePointView],
  ['transactions', transactionsView],
  ['transactions/:id', transactionView],
  ['messages', messagesView],
  ['id-tags', idTagsView],
  ['charging-profiles', chargingProfilesView],
  ['reservations', reservationsView],
  ['local-lists', localListsView],
  ['files', filesView],
  ['security-events', securityEventsView],
  ['audit', auditView],
  ['users', usersView],
  ['server', serverView],
];

/** The entries of the menu: the group's name and its views, with the role a view needs. */
export const MENU = [
  ['operate', [['charge-points'], ['transactions'], ['messages']]],
  ['manage', [['id-tags'], ['charging-profiles'], ['reservations'], ['local-lists'], ['files']]],
  ['oversee', [['security-events'], ['audit'], ['users', 'admin'], ['server']]],
];
