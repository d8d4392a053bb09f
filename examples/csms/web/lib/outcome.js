// The place beside a command where its outcome is told, to screen readers too.

import { fill, h } from './dom.js';
import { t } from './i18n.js';
import { clock, pretty } from './format.js';
import { problemNode } from './problem.js';
import { badge, tone } from './ui.js';

/** An empty place; `testid` names it for tests. */
export function outcome(testid) {
  const node = h('div', { class: 'outcome', role: 'status', 'aria-live': 'polite', testid, hidden: true });
  const show = (state, ...children) => {
    node.hidden = false;
    node.dataset.state = state;
    fill(node, children);
  };
  return {
    node,
    clear() {
      node.hidden = true;
      delete node.dataset.state;
      fill(node);
    },
    pending: (label) => show('pending', h('span', { class: 'spinner', 'aria-hidden': 'true' }), t('command.pending', { action: label })),
    done: (message) => show('good', h('strong', {}, message)),
    failed: (problem) => show('bad', problemNode(problem)),
    /** What the charge point answered to `action`. */
    answered(action, response) {
      const status = response?.status;
      const shade = status === undefined ? 'good' : tone(status);
      const body = pretty(response ?? {});
      show(
        shade === 'bad' ? 'bad' : shade === 'hold' ? 'hold' : 'good',
        h('div', { class: 'answer' }, h('strong', {}, t('command.answered', { action })), status !== undefined && badge(status), h('span', { class: 'muted' }, clock(Date.now()))),
        body !== '{}' && Object.keys(response).some((key) => key !== 'status') && h('details', {}, h('summary', {}, t('command.response')), h('pre', { class: 'code' }, body)),
      );
    },
  };
}

/** Runs `work` and tells its outcome in `place`; resolves with the result, or with undefined after a failure. */
export async function attempt(place, label, work, tell) {
  place.pending(label);
  try {
    const result = await work();
    tell(result);
    return result;
  } catch (error) {
    place.failed(error);
    return undefined;
  }
}
