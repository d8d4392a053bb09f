// What went wrong, in one sentence for the operator and with what there is beside it.

import { h } from './dom.js';
import { t } from './i18n.js';
import { pretty } from './format.js';

const KNOWN = new Set([
  'offline', 'timeout', 'callError', 'invalidPayload', 'unknownAction', 'notFound', 'forbidden', 'unauthorized',
  'rateLimited', 'conflict', 'invalidResponse', 'notSent', 'queueFull', 'storeUnavailable', 'network', 'input', 'badRequest',
]);

/** The sentence for a failure. */
export function problemTitle(problem) {
  return KNOWN.has(problem.kind) ? t(`problem.${problem.kind}`) : problem.title || t('problem.failed');
}

/** The whole failure: the sentence, its parts and its details. */
export function problemNode(problem) {
  const rows = [
    [t('problem.code'), problem.code],
    [t('problem.description'), problem.description],
    [t('problem.pointer'), problem.pointer === '' ? t('problem.root') : problem.pointer],
    // Of a CALLERROR the detail only says again what stands above.
    [t('problem.detail'), problem.code ? null : (problem.detail ?? (problem.kind ? null : problem.message))],
    [t('problem.status'), problem.status || null],
  ].filter(([, value]) => value !== undefined && value !== null && value !== '');
  const details = problem.details;
  const hasDetails = details && typeof details === 'object' && Object.keys(details).length > 0;
  return h(
    'div',
    { class: 'problem', testid: 'problem', 'data-kind': problem.kind ?? 'failed' },
    h('strong', {}, problemTitle(problem)),
    h('dl', { class: 'pairs tight' }, rows.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', { class: 'mono' }, value)))),
    hasDetails && h('pre', { class: 'code' }, pretty(details)),
  );
}
