// Firmware updates, diagnostics and logs: files that this server hands out or takes in.

import * as api from '../../lib/api.js';
import * as live from '../../lib/live.js';
import { coalesce, fill, h } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { bytes, timeNode } from '../../lib/format.js';
import { link } from '../../lib/router.js';
import { may } from '../../lib/session.js';
import { form } from '../../lib/form.js';
import { attempt } from '../../lib/outcome.js';
import { badge, card, linkButton, pairs } from '../../lib/ui.js';
import { fileTable } from '../file-table.js';

const TRANSPORTS = ['http', 'ftp'];

export function firmware({ id, signal }) {
  const state = h('div', { id: 'firmware-state' });
  const files = fileTable({ query: { chargePoint: id }, keep: (file) => file.chargePoint === id, signal });
  const reload = coalesce(() => files.reload(), 500, signal);
  for (const kind of ['diagnosticsStatus', 'logStatus', 'refresh']) live.on(kind, reload, signal);
  files.reload();
  const reported = (status, at) => (status ? h('span', {}, badge(status), ' ', timeNode(at)) : null);
  return {
    node: h('div', { class: 'stack' }, card(t('firmware.states'), state), may('operator') && h('div', { class: 'columns' }, updateCard(id, signal), diagnosticsCard(id, files), logCard(id, files)), card(t('firmware.received'), files.node)),
    update(chargePoint) {
      fill(
        state,
        pairs([
          [t('firmware'), chargePoint.firmwareVersion],
          [t('firmwareStatus'), reported(chargePoint.firmwareStatus, chargePoint.firmwareStatusAt)],
          [t('diagnosticsStatus'), reported(chargePoint.diagnosticsStatus, chargePoint.diagnosticsStatusAt)],
          [t('logStatus'), reported(chargePoint.logStatus, chargePoint.logStatusAt)],
        ]),
      );
    },
  };
}

/** Fields that all three requests have. */
const transfer = () => [
  { name: 'transport', label: t('transport'), type: 'select', value: 'http', options: TRANSPORTS },
  { name: 'retries', label: t('retries'), type: 'number', min: 0, step: 1 },
  { name: 'retryInterval', label: t('retryInterval'), type: 'number', min: 0, step: 1 },
];

function updateCard(id, signal) {
  const holder = h('div', {}, h('p', { class: 'muted' }, t('loading')));
  api
    .all('/files', { kind: 'firmware' }, signal)
    .then((files) => fill(holder, files.length > 0 ? updateForm(id, files) : h('p', { class: 'muted' }, t('firmware.noFiles'))))
    .catch(() => null);
  return card(t('firmware.update'), holder, h('div', { class: 'actions' }, linkButton(t('view.files'), link('files'))));
}

function updateForm(id, files) {
  return form({
    testid: 'update-firmware',
    submit: t('firmware.update'),
    fields: [
      { name: 'fileId', label: t('firmware.file'), type: 'select', options: files.map((file) => [file.id, `${file.name} (${bytes(file.size)})`]) },
      { name: 'retrieveDate', label: t('firmware.retrieveDate'), type: 'datetime', hint: t('firmware.now') },
      ...transfer(),
      { name: 'signed', label: t('firmware.signed'), type: 'check' },
      { name: 'signature', label: t('firmware.signature'), type: 'textarea', rows: 2, hint: t('firmware.signatureHint') },
      { name: 'signingCertificate', label: t('firmware.certificate'), type: 'textarea', rows: 2 },
    ],
    onsubmit: (body, place) => ask(id, 'update-firmware', body.signed ? 'SignedUpdateFirmware' : 'UpdateFirmware', body, place),
  }).node;
}

function diagnosticsCard(id, files) {
  return card(
    t('diagnostics.get'),
    form({
      testid: 'get-diagnostics',
      submit: 'GetDiagnostics',
      fields: [...transfer(), { name: 'startTime', label: t('from'), type: 'datetime' }, { name: 'stopTime', label: t('to'), type: 'datetime' }],
      onsubmit: (body, place) => ask(id, 'get-diagnostics', 'GetDiagnostics', body, place).then(() => files.reload()),
    }).node,
  );
}

function logCard(id, files) {
  return card(
    t('log.get'),
    form({
      testid: 'get-log',
      submit: 'GetLog',
      fields: [
        { name: 'logType', label: t('log.type'), type: 'select', value: 'DiagnosticsLog', options: ['DiagnosticsLog', 'SecurityLog'] },
        ...transfer(),
        { name: 'oldestTimestamp', label: t('from'), type: 'datetime' },
        { name: 'latestTimestamp', label: t('to'), type: 'datetime' },
      ],
      onsubmit: (body, place) => ask(id, 'get-log', 'GetLog', body, place).then(() => files.reload()),
    }).node,
  );
}

function ask(id, what, action, body, place) {
  return attempt(place, action, () => api.post(api.path('charge-points', id, what), body), (answer) => place.answered(action, answer ?? {}));
}
