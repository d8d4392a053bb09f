// The everyday commands: reset, trigger, availability, clear cache, data transfer.

import { h } from '../../lib/dom.js';
import { t, word } from '../../lib/i18n.js';
import { form } from '../../lib/form.js';
import { confirmDialog } from '../../lib/dialog.js';
import { outcome } from '../../lib/outcome.js';
import { actions, button, card } from '../../lib/ui.js';
import { send } from './send.js';

const TRIGGERS = ['BootNotification', 'DiagnosticsStatusNotification', 'FirmwareStatusNotification', 'Heartbeat', 'MeterValues', 'StatusNotification'];
const EXTENDED = ['BootNotification', 'LogStatusNotification', 'FirmwareStatusNotification', 'Heartbeat', 'MeterValues', 'SignChargePointCertificate', 'StatusNotification'];

export function control({ id }) {
  return h('div', { class: 'columns' }, resetCard(id), triggerCard(id), availabilityCard(id), dataTransferCard(id));
}

function resetCard(id) {
  const place = outcome('outcome-Reset');
  const cache = outcome('outcome-ClearCache');
  const reset = (type) => send(id, 'Reset', { type }, place);
  const hard = () => confirmDialog(t('reset.hardQuestion', { id }), t('reset.Hard'), async () => void reset('Hard'));
  return card(
    t('reset'),
    h('p', { class: 'muted' }, t('reset.about')),
    actions(button(t('reset.Soft'), () => reset('Soft'), { testid: 'reset-Soft' }), button(t('reset.Hard'), hard, { kind: 'danger', testid: 'reset-Hard' })),
    place.node,
    actions(button(t('clearCache'), () => send(id, 'ClearCache', {}, cache), { testid: 'clear-cache' })),
    cache.node,
  );
}

function triggerCard(id) {
  const options = [
    ...TRIGGERS.map((message) => [`TriggerMessage ${message}`, message]),
    ...EXTENDED.map((message) => [`ExtendedTriggerMessage ${message}`, `${message} (${t('trigger.extended')})`]),
  ];
  return card(
    t('trigger'),
    form({
      testid: 'trigger',
      submit: t('trigger.submit'),
      kind: 'plain',
      fields: [
        { name: 'message', label: t('trigger.message'), type: 'select', value: 'TriggerMessage StatusNotification', options },
        { name: 'connectorId', label: t('connectorId'), type: 'number', min: 1, step: 1, hint: t('optional') },
      ],
      async onsubmit({ message, connectorId }, place) {
        const [action, requestedMessage] = message.split(' ');
        await send(id, action, { requestedMessage, connectorId }, place);
      },
    }).node,
  );
}

function availabilityCard(id) {
  return card(
    t('availability'),
    form({
      testid: 'availability',
      submit: t('availability.submit'),
      kind: 'plain',
      fields: [
        { name: 'connectorId', label: t('connectorId'), type: 'number', value: 0, min: 0, step: 1, required: true, hint: t('connector.zero') },
        { name: 'type', label: t('availability'), type: 'select', value: 'Operative', options: ['Operative', 'Inoperative'].map((type) => [type, word(type)]) },
      ],
      onsubmit: (payload, place) => send(id, 'ChangeAvailability', payload, place),
    }).node,
  );
}

function dataTransferCard(id) {
  return card(
    t('dataTransfer'),
    form({
      testid: 'data-transfer',
      submit: t('send'),
      kind: 'plain',
      fields: [
        { name: 'vendorId', label: 'vendorId', required: true, maxlength: 255 },
        { name: 'messageId', label: 'messageId', maxlength: 50 },
        { name: 'data', label: 'data', type: 'textarea', rows: 2 },
      ],
      onsubmit: (payload, place) => send(id, 'DataTransfer', payload, place),
    }).node,
  );
}
