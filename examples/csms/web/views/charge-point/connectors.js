// The connectors, each with its state, its running transaction and its buttons. Cards stay while states change, so
// that an outcome that was told beside a button stays too.

import * as api from '../../lib/api.js';
import * as live from '../../lib/live.js';
import { coalesce, fill, h } from '../../lib/dom.js';
import { t, word } from '../../lib/i18n.js';
import { duration, energy, timeNode } from '../../lib/format.js';
import { remember, remembered } from '../../lib/memory.js';
import { link } from '../../lib/router.js';
import { may } from '../../lib/session.js';
import { field } from '../../lib/form.js';
import { outcome } from '../../lib/outcome.js';
import { actions, badge, button, tone } from '../../lib/ui.js';
import { send } from './send.js';

const FALLBACK_TAG = 'ONWIRE';

export function connectors({ id, signal }) {
  const starter = startFields(signal);
  const grid = h('div', { class: 'connectors', id: 'connectors' });
  const nothing = h('p', { class: 'muted' }, t('connectors.none'));
  const cards = new Map();
  let running = new Map();
  let latest = [];

  const show = () => {
    for (const connector of latest) {
      if (!cards.has(connector.connector)) {
        cards.set(connector.connector, connectorCard(id, connector.connector, starter, reload));
        fill(grid, [...cards].sort(([a], [b]) => a - b).map(([, entry]) => entry.node));
      }
      cards.get(connector.connector).update(connector, running.get(connector.connector));
    }
    nothing.hidden = cards.size > 0;
  };
  const reload = coalesce(async () => {
    const page = await api.get('/transactions', { chargePoint: id, active: 'true', limit: 100 }, signal).catch(() => null);
    if (!page || signal.aborted) return;
    running = new Map(page.items.map((transaction) => [transaction.connector, transaction]));
    show();
  }, 150, signal);
  for (const kind of ['transactionStarted', 'transactionStopped', 'meterValues', 'refresh']) live.on(kind, reload, signal);
  const clock = setInterval(() => cards.forEach((entry) => entry.tick()), 1000);
  signal.addEventListener('abort', () => clearInterval(clock));
  return {
    node: h('div', { class: 'stack' }, may('operator') && starter.node, nothing, grid),
    update(chargePoint) {
      latest = chargePoint.connectors;
      show();
      reload();
    },
  };
}

/** The tag and the profile that the buttons start with. */
function startFields(signal) {
  const tag = field({ name: 'startTag', id: 'start-tag', label: t('start.tag'), value: remembered('start-tag') || FALLBACK_TAG, maxlength: 20, list: [] });
  const profile = field({ name: 'startProfile', id: 'start-profile', label: t('start.profile'), type: 'select', options: [['', t('none')]] });
  tag.input.addEventListener('change', () => remember('start-tag', tag.input.value));
  api
    .get('/id-tags', { status: 'Accepted', limit: 50 }, signal)
    .then(({ items }) => {
      tag.node.querySelector('datalist').append(...items.map((item) => h('option', { value: item.idTag }, item.note ?? '')));
      if (!remembered('start-tag') && items.length > 0 && tag.input.value === FALLBACK_TAG) tag.input.value = items[0].idTag;
    })
    .catch(() => null);
  api
    .get('/charging-profiles', { limit: 500 }, signal)
    .then(({ items }) => profile.input.append(...items.map(({ name }) => h('option', { value: name }, name))))
    .catch(() => null);
  return { node: h('div', { class: 'fields start-fields' }, tag.node, profile.node), tag: () => tag.input.value.trim() || FALLBACK_TAG, profile: () => profile.input.value };
}

function connectorCard(id, connector, starter, changed) {
  const status = h('span', { class: 'status-word' });
  const about = h('div', { class: 'connector-about' });
  const charge = h('div', { class: 'connector-charge' });
  const elapsed = h('span', {});
  const place = outcome(`outcome-${connector}`);
  let transaction = null;

  const sendStart = () => send(id, 'RemoteStartTransaction', { connectorId: connector, idTag: starter.tag() }, place, { profile: starter.profile() }).then(changed);
  const sendStop = () => transaction && send(id, 'RemoteStopTransaction', { transactionId: transaction.id }, place).then(changed);
  const start = button(t('start'), sendStart, { kind: 'primary', testid: `start-${connector}` });
  const stop = button(t('stop'), sendStop, { kind: 'danger', testid: `stop-${connector}` });
  const unlock = button(t('unlock'), () => send(id, 'UnlockConnector', { connectorId: connector }, place), { testid: `unlock-${connector}` });
  const node = h(
    'article',
    { class: 'connector', testid: `connector-${connector}` },
    h('div', { class: 'connector-head' }, h('h3', {}, connector === 0 ? t('connector.whole') : t('connector.number', { connector })), status),
    about,
    charge,
    may('operator') && connector > 0 && actions(start, stop, unlock),
    place.node,
  );
  const tick = () => transaction && fill(elapsed, duration(Date.now() - Date.parse(transaction.startReceivedAt ?? transaction.startedAt)));
  return {
    node,
    tick,
    update(state, current) {
      transaction = current ?? (state.transactionId ? { id: state.transactionId } : null);
      node.dataset.status = state.status;
      node.dataset.tone = tone(state.status);
      fill(status, badge(state.status));
      const fault = state.errorCode && state.errorCode !== 'NoError';
      fill(
        about,
        fault && h('p', { class: 'fault' }, [word(state.errorCode), state.info, state.vendorId, state.vendorErrorCode].filter(Boolean).join(' · ')),
        !fault && state.info && h('p', { class: 'muted' }, state.info),
        h('p', { class: 'muted' }, timeNode(state.reportedAt)),
      );
      start.hidden = Boolean(transaction);
      stop.hidden = !transaction;
      fill(
        charge,
        transaction && h('a', { class: 'strong', href: link('transactions', transaction.id), testid: `transaction-${connector}` }, t('transaction.number', { id: transaction.id })),
        current && h('p', { class: 'figures' }, h('strong', { testid: `energy-${connector}` }, energy(current.energyWh ?? 0)), elapsed, h('span', { class: 'muted' }, current.idTag)),
      );
      tick();
    },
  };
}
