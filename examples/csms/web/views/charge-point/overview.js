// The charge point at a glance: what it is, its connectors with start and stop, and the everyday commands.

import { fill, h } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import * as api from '../../lib/api.js';
import { duration, text, timeNode } from '../../lib/format.js';
import { may } from '../../lib/session.js';
import { badge, card, pairs } from '../../lib/ui.js';
import { meterValueTable } from '../meter-value-table.js';
import { connectors } from './connectors.js';
import { control } from './control.js';

export function overview({ id, signal }) {
  const device = h('div', { class: 'device', id: 'device' });
  const parts = connectors({ id, signal });
  const node = h('div', { class: 'stack' }, card(t('connectors'), parts.node), may('operator') && control({ id }), card(t('device'), device), meterValueTable({ where: api.path('charge-points', id), ofChargePoint: true, signal }));
  return {
    node,
    update(chargePoint) {
      parts.update(chargePoint);
      fill(device, pairs(rows(chargePoint)));
    },
  };
}

function rows(item) {
  const extras = item.extras && typeof item.extras === 'object' ? Object.entries(item.extras) : [];
  const reported = (status, at) => (status ? h('span', {}, badge(status), ' ', timeNode(at)) : null);
  return [
    [t('vendor'), item.vendor],
    [t('model'), item.model],
    [t('serialNumber'), item.serialNumber],
    [t('chargeBoxSerialNumber'), item.chargeBoxSerialNumber],
    [t('firmware'), item.firmwareVersion],
    [t('firmwareStatus'), reported(item.firmwareStatus, item.firmwareStatusAt)],
    [t('diagnosticsStatus'), reported(item.diagnosticsStatus, item.diagnosticsStatusAt)],
    [t('logStatus'), reported(item.logStatus, item.logStatusAt)],
    ['ICCID', item.iccid],
    ['IMSI', item.imsi],
    [t('meter'), [item.meterType, item.meterSerialNumber].filter(Boolean).join(' ')],
    [t('protocol'), item.protocol],
    [t('remoteAddress'), item.remoteAddress],
    [t('connectedSince'), timeNode(item.connectedSince)],
    [t('bootedAt'), timeNode(item.bootedAt)],
    [t('lastSeen'), timeNode(item.lastSeenAt)],
    [t('clockLead'), item.clockLeadMs && h('span', { testid: 'clock-lead' }, badge('clockAhead', 'hold', duration(item.clockLeadMs)))],
    [t('bootPolicy'), item.bootPolicy ? t(`bootPolicy.${item.bootPolicy}`) : t('bootPolicy.default')],
    [t('accepted'), t(item.accepted ? 'yes' : 'no')],
    [t('registered'), t(item.registered ? 'yes' : 'no')],
    [t('securityProfile'), item.securityProfile],
    [t('key.title'), t(item.hasKey ? 'key.present' : 'key.absent')],
    [t('quirks'), (item.quirks ?? []).map((quirk) => (typeof quirk === 'string' ? quirk : JSON.stringify(quirk))).join(', ')],
    [t('refusedCalls'), item.refusedCalls ? h('span', { testid: 'refused-calls' }, badge('refused', 'hold', String(item.refusedCalls)), ' ', timeNode(item.refusedCallAt), ' ', h('span', { class: 'mono break' }, text(item.refusedCall))) : null],
    [t('pingInterval'), item.pingInterval],
    [t('pingTimeout'), item.pingTimeout],
    [t('note'), item.note],
    ...extras.map(([name, value]) => [name, text(value)]),
  ];
}
