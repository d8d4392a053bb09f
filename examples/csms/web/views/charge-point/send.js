// Sending a command from the page.

import * as api from '../../lib/api.js';
import { attempt } from '../../lib/outcome.js';

/** Sends `action` and tells its outcome in `place`; resolves with the response or with undefined. */
export function send(id, action, payload, place, query) {
  return attempt(place, action, () => api.command(id, action, payload, query), (response) => place.answered(action, response));
}
