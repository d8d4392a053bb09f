// The server's event stream. Each time it opens, and after events were lost, listeners of `refresh` run: what they
// show must be fetched anew, because events say what changed and not how things are.

import { address } from './api.js';

const KINDS = [
  'connected', 'disconnected', 'booted', 'configuration', 'status', 'transactionStarted', 'transactionStopped',
  'meterValues', 'message', 'reservationExpired', 'firmwareStatus', 'diagnosticsStatus', 'logStatus', 'securityEvent',
  'heldBack',
];
const RETRY_FIRST = 1000;
const RETRY_MOST = 15000;
// A busy server may lose events over and over; views are not refetched more often than this.
const REFRESH_EVERY = 2000;

const listeners = new Map();
let source = null;
let scope = null;
let retry = RETRY_FIRST;
let timer = null;
let due = false;
let refreshTimer = null;
let state = 'off';

/** Runs `listener(data)` on each event of `kind` until `signal` aborts. Also `refresh`, `refused` and `state`. */
export function on(kind, listener, signal) {
  if (!listeners.has(kind)) listeners.set(kind, new Set());
  listeners.get(kind).add(listener);
  signal?.addEventListener('abort', () => listeners.get(kind).delete(listener));
}

/** Whether events come in: `on`, `waiting` (between attempts) or `off`. */
export const liveState = () => state;

/** Listens to one charge point only, or to all with null. */
export function listenTo(chargePoint) {
  if (source !== null && scope === chargePoint) return;
  scope = chargePoint;
  if (state !== 'off') open();
}

export function start() {
  if (state === 'off') open();
}

export function stop() {
  close();
  setState('off');
}

function open() {
  close();
  setState('waiting');
  source = new EventSource(address('/events', { chargePoint: scope }));
  source.onopen = () => {
    retry = RETRY_FIRST;
    setState('on');
    refresh();
  };
  source.onerror = () => {
    setState('waiting');
    // The browser tries again by itself unless the answer was not a stream at all.
    if (source?.readyState === EventSource.CLOSED) {
      close();
      emit('refused');
      timer = setTimeout(open, retry);
      retry = Math.min(retry * 2, RETRY_MOST);
    }
  };
  source.addEventListener('lagged', refresh);
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => {
      if (listeners.get(kind)?.size > 0) {
        // What is told of a transaction is the transaction.
        const data = JSON.parse(event.data);
        emit(kind, data.transaction ?? data);
      }
    });
  }
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function refresh() {
  if (refreshTimer !== null) {
    due = true;
    return;
  }
  due = false;
  emit('refresh');
  refreshTimer = setTimeout(() => {
    refreshTimer = null;
    if (due) refresh();
  }, REFRESH_EVERY);
}

function setState(next) {
  if (state === next) return;
  state = next;
  emit('state', next);
}

function emit(kind, data) {
  for (const listener of [...(listeners.get(kind) ?? [])]) listener(data);
}
