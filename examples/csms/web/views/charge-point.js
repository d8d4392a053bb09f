// One charge point: its head and the tabs below.

import * as api from '../lib/api.js';
import * as live from '../lib/live.js';
import { coalesce, fill, h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { problemNode } from '../lib/problem.js';
import { go, link } from '../lib/router.js';
import { may } from '../lib/session.js';
import { form } from '../lib/form.js';
import { confirmDialog, openDialog } from '../lib/dialog.js';
import { button, heading, onlineBadge, tabs } from '../lib/ui.js';
import { keyDialog } from './charge-point-key.js';
import { messageLog } from './message-log.js';
import { overview } from './charge-point/overview.js';
import { configuration } from './charge-point/configuration.js';
import { localList } from './charge-point/local-list.js';
import { reservations } from './charge-point/reservations.js';
import { charging } from './charge-point/charging.js';
import { firmware } from './charge-point/firmware.js';
import { raw } from './charge-point/raw.js';

/** Each builds `{ node, update(chargePoint) }`, update being optional. */
const SECTIONS = {
  overview,
  configuration,
  charging,
  reservations,
  'local-list': localList,
  firmware,
  raw,
  messages: ({ id, signal }) => messageLog({ chargePoint: id, signal }),
};

const CHANGES = [
  'connected', 'disconnected', 'booted', 'status', 'transactionStarted', 'transactionStopped', 'firmwareStatus', 'diagnosticsStatus', 'logStatus', 'heldBack',
];

export async function chargePointView({ outlet, params, query, signal }) {
  const { id } = params;
  const tab = Object.hasOwn(SECTIONS, params.tab ?? '') ? params.tab : 'overview';
  const body = h('div', { class: 'stack', id: 'section' });
  const mark = h('span', { id: 'connection' });
  const head = heading(id, mark);
  fill(outlet, h('p', { class: 'crumb' }, h('a', { href: link('charge-points') }, t('view.charge-points'))), head, tabBar(id, tab), body);
  let current;
  try {
    current = await api.get(api.path('charge-points', id), null, signal);
  } catch (error) {
    if (!signal.aborted) fill(body, h('div', { class: 'card' }, problemNode(error)));
    return;
  }
  const section = SECTIONS[tab]({ id, chargePoint: current, query, signal });
  const show = (chargePoint) => {
    current = chargePoint;
    fill(mark, onlineBadge(chargePoint.connected));
    section.update?.(chargePoint);
  };
  head.querySelector('.view-tools').append(...tools(id, () => current, (changed) => show(changed)).filter(Boolean));
  fill(body, section.node);
  show(current);
  const reload = coalesce(async () => {
    const chargePoint = await api.get(api.path('charge-points', id), null, signal).catch(() => null);
    if (chargePoint && !signal.aborted) show(chargePoint);
  }, 200, signal);
  const concerns = (event) => event.chargePoint === id;
  for (const kind of CHANGES) live.on(kind, (event) => concerns(event) && reload(), signal);
  live.on('refresh', reload, signal);
}

function tabBar(id, current) {
  const entries = Object.keys(SECTIONS).map((name) => [name, t(`tab.${name}`), link('charge-points', id, name)]);
  return tabs(t('sections'), entries, current);
}

function tools(id, chargePoint, changed) {
  return [
    may('operator') && button(t('edit'), () => editDialog(chargePoint(), changed), { testid: 'edit-charge-point' }),
    may('operator') && button(t('key.title'), () => keyDialog(id), { testid: 'key' }),
    may('admin') &&
      button(
        t('delete'),
        () =>
          confirmDialog(t('chargePoints.deleteQuestion', { id }), t('delete'), async () => {
            await api.remove(api.path('charge-points', id));
            go('charge-points');
          }),
        { kind: 'danger', testid: 'delete-charge-point' },
      ),
  ];
}

function editDialog(chargePoint, changed) {
  openDialog(t('edit'), (close) =>
    form({
      testid: 'edit-form',
      submit: t('save'),
      fields: [
        { name: 'note', label: t('note'), value: chargePoint.note, empty: null },
        { name: 'bootPolicy', label: t('bootPolicy'), type: 'select', value: chargePoint.bootPolicy, empty: null, options: [['', t('bootPolicy.default')], ['accept', t('bootPolicy.accept')], ['pending', t('bootPolicy.pending')], ['reject', t('bootPolicy.reject')]] },
        { name: 'securityProfile', label: t('securityProfile'), type: 'select', number: true, value: String(chargePoint.securityProfile ?? 0), hint: t('securityProfile.hint'), options: ['0', '1', '2', '3'] },
        { name: 'pingInterval', label: t('pingInterval'), type: 'number', min: 5, max: 86400, step: 1, value: chargePoint.pingInterval, empty: null, hint: t('pingInterval.hint') },
        { name: 'pingTimeout', label: t('pingTimeout'), type: 'number', min: 5, max: 3600, step: 1, value: chargePoint.pingTimeout, empty: null, hint: t('pingTimeout.hint') },
      ],
      async onsubmit(body) {
        await api.patch(api.path('charge-points', chargePoint.id), body);
        changed(await api.get(api.path('charge-points', chargePoint.id)));
        close();
      },
    }).node,
  );
}
