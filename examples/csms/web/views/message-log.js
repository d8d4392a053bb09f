// The OCPP messages as they come and go: live at the top, older ones by paging, whole texts on demand.

import * as api from '../lib/api.js';
import * as live from '../lib/live.js';
import { fill, h } from '../lib/dom.js';
import { t, word } from '../lib/i18n.js';
import { clock, dateTime, pretty } from '../lib/format.js';
import { link } from '../lib/router.js';
import { problemNode } from '../lib/problem.js';
import { filterBar } from '../lib/table.js';
import { button, toast } from '../lib/ui.js';

// Bounds of what the page keeps: rows that live messages push out, and messages that wait while it is paused.
const MOST_LIVE = 1000;
const MOST_HELD = 1000;
const KINDS = ['call', 'result', 'error', 'unreadable'];

/** `chargePoint` may be absent: then there is a filter for it. */
export function messageLog({ chargePoint, signal, query = {} }) {
  const filters = filterBar(
    [
      !chargePoint && { name: 'chargePoint', label: t('chargePoint'), type: 'search', value: query.chargePoint },
      { name: 'action', label: t('action'), type: 'search', value: query.action },
      { name: 'direction', label: t('direction'), type: 'select', options: [['', t('any')], ['received', t('direction.received')], ['sent', t('direction.sent')]] },
      { name: 'kind', label: t('kind'), type: 'select', options: [['', t('any')], ...KINDS.map((kind) => [kind, word(kind)])] },
      { name: 'q', label: t('text'), type: 'search' },
    ].filter(Boolean),
    () => load(true),
  );
  const list = h('ol', { class: 'log', id: 'log', 'aria-label': t('view.messages') });
  const note = h('div', { class: 'list-note muted', role: 'status' });
  const older = button(t('messages.older'), () => load(dropped), { testid: 'messages-older' });
  const hold = button(t('messages.pause'), () => setPaused(!paused), { testid: 'messages-pause', 'aria-pressed': 'false' });
  const known = new Set();
  let cursor = null;
  let dropped = false;
  let paused = false;
  let held = [];
  let round = 0;

  const wanted = () => ({ ...filters.values(), ...(chargePoint ? { chargePoint } : {}) });
  const setPaused = (next) => {
    paused = next;
    hold.setAttribute('aria-pressed', String(paused));
    if (!paused) {
      held.forEach(prepend);
      held = [];
    }
    label();
  };
  const label = () => fill(hold, paused ? t('messages.resume', { count: held.length }) : t('messages.pause'));
  const prepend = (message) => {
    if (known.has(message.id)) return;
    known.add(message.id);
    list.prepend(entry(message, !chargePoint));
    fill(note);
    while (list.childElementCount > MOST_LIVE) {
      // The cursor is no longer the one after the last row shown, so older ones are paged to from the newest again.
      known.delete(Number(list.lastElementChild.dataset.id));
      list.lastElementChild.remove();
      dropped = true;
      older.hidden = false;
    }
  };
  async function load(fresh) {
    const mine = (round += 1);
    older.disabled = true;
    try {
      const page = await api.get('/messages', { ...wanted(), limit: 100, cursor: fresh ? null : cursor }, signal);
      if (mine !== round) return;
      if (fresh) {
        known.clear();
        dropped = false;
        fill(list);
      }
      for (const message of page.items) {
        if (known.has(message.id)) continue;
        known.add(message.id);
        list.append(entry(message, !chargePoint));
      }
      held = held.filter((message) => !known.has(message.id) && matches(message, wanted()));
      label();
      cursor = page.nextCursor ?? null;
      older.hidden = !cursor;
      fill(note, list.childElementCount === 0 && t('messages.empty'));
    } catch (error) {
      if (!signal.aborted && mine === round) fill(note, problemNode(error));
    } finally {
      older.disabled = false;
    }
  }
  live.on('message', (message) => {
    if (!matches(message, wanted())) return;
    if (!paused) return prepend(message);
    held.push(message);
    if (held.length > MOST_HELD) held.shift();
    label();
  }, signal);
  live.on('refresh', () => !paused && load(true), signal);
  load(true);
  return { node: h('div', { class: 'stack' }, h('div', { class: 'log-tools' }, filters.node, hold), list, note, older) };
}

/** What the server's filters do, for messages that come over the event stream. */
function matches(message, { chargePoint, action, direction, kind, q }) {
  const same = (wanted, value) => !wanted || String(value ?? '').toLowerCase() === wanted.toLowerCase();
  return (
    same(chargePoint, message.chargePoint) &&
    same(action, message.action) &&
    same(direction, message.direction) &&
    same(kind, message.kind) &&
    (!q || String(message.text ?? '').toLowerCase().includes(q.toLowerCase()))
  );
}

function entry(message, withChargePoint) {
  const body = h('div', { class: 'log-body' });
  const details = h(
    'details',
    {
      ontoggle: () => {
        if (details.open && !body.hasChildNodes()) fill(body, whole(message));
      },
    },
    h(
      'summary',
      {},
      h('time', { datetime: message.at, title: dateTime(message.at) }, clock(message.at, true)),
      h('span', { class: `arrow ${message.direction}`, title: t(`direction.${message.direction}`) }, message.direction === 'received' ? '↑' : '↓', h('span', { class: 'hidden-text' }, t(`direction.${message.direction}`))),
      withChargePoint && h('a', { class: 'log-id', href: link('charge-points', message.chargePoint) }, message.chargePoint),
      h('span', { class: `log-kind ${message.kind}` }, word(message.kind)),
      h('strong', { class: 'log-action' }, message.action ?? ''),
      message.errorCode && h('span', { class: 'badge bad' }, message.errorCode),
      typeof message.elapsedMs === 'number' && h('span', { class: 'muted' }, `${message.elapsedMs} ms`),
      h('span', { class: 'log-text mono' }, message.text ?? ''),
    ),
    body,
  );
  return h('li', { class: message.kind, 'data-id': message.id, 'data-action': message.action, 'data-direction': message.direction }, details);
}

function whole(message) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(message.text);
      toast(t('copied'));
    } catch {
      toast(t('copyFailed'), 'bad');
    }
  };
  return [
    h('p', { class: 'muted' }, `${dateTime(message.at)} · ${message.chargePoint} · ${t('messageId')} `, h('span', { class: 'mono' }, message.messageId ?? '')),
    h('pre', { class: 'code', testid: 'message-text' }, pretty(message.text)),
    button(t('copy'), copy),
  ];
}
