// Any request of OCPP, written as JSON.

import { h } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { may } from '../../lib/session.js';
import { form } from '../../lib/form.js';
import { card } from '../../lib/ui.js';
import { send } from './send.js';
import { exampleRequests } from './examples.js';

export function raw({ id }) {
  if (!may('operator')) return { node: card(t('tab.raw'), h('p', { class: 'muted' }, t('role.tooLow'))) };
  const examples = exampleRequests();
  const entry = form({
    testid: 'raw',
    submit: t('send'),
    fields: [
      { name: 'action', label: t('action'), value: 'GetConfiguration', required: true, list: Object.keys(examples), hint: t('raw.actionHint') },
      { name: 'timeoutSeconds', label: t('raw.timeout'), type: 'number', value: 30, min: 1, max: 600, step: 1 },
      may('admin') && { name: 'unchecked', label: t('raw.unchecked'), type: 'check', hint: t('raw.uncheckedHint') },
      { name: 'payload', label: t('raw.payload'), type: 'json', rows: 14, value: examples.GetConfiguration, testid: 'raw-payload' },
    ].filter(Boolean),
    onsubmit: ({ action, timeoutSeconds, unchecked, payload }, place) => send(id, action, payload ?? {}, place, { timeoutSeconds, raw: unchecked ? 'true' : '' }),
  });
  const { action, payload } = entry.inputs;
  let offered = payload.value;
  action.addEventListener('input', () => {
    // What the user has written is never replaced.
    if (!Object.hasOwn(examples, action.value) || payload.value !== offered) return;
    offered = JSON.stringify(examples[action.value], null, 2);
    payload.value = offered;
  });
  return { node: card(t('tab.raw'), h('p', { class: 'muted' }, t('raw.about')), entry.node) };
}
