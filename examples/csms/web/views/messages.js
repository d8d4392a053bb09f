// The messages of all charge points.

import { fill } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { heading } from '../lib/ui.js';
import { messageLog } from './message-log.js';

export function messagesView({ outlet, query, signal }) {
  fill(outlet, heading(t('view.messages')), messageLog({ query, signal }).node);
}
