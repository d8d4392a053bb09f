// Small parts that every view is made of.

import { h } from './dom.js';
import { t, word } from './i18n.js';
import { NONE, text } from './format.js';

/** A button; `kind` is primary, danger, quiet or absent. */
export function button(label, onclick, { kind, testid, ...rest } = {}) {
  return h('button', { type: 'button', class: kind ? `button ${kind}` : 'button', onclick, testid, ...rest }, label);
}

export function linkButton(label, href, { kind, ...rest } = {}) {
  return h('a', { class: kind ? `button ${kind}` : 'button', href, ...rest }, label);
}

/** A titled box. */
export function card(title, ...children) {
  return h('section', { class: 'card' }, title && h('h2', {}, title), children);
}

/** A box that opens on demand. */
export function fold(title, { open = false, testid } = {}, ...children) {
  return h('details', { class: 'card fold', open, testid }, h('summary', {}, h('span', {}, title)), h('div', { class: 'fold-body' }, children));
}

export function heading(title, ...beside) {
  return h('header', { class: 'view-head' }, h('h1', { tabindex: '-1' }, title), h('div', { class: 'view-tools' }, beside));
}

const TONES = {
  good: ['Available', 'Accepted', 'Installed', 'Uploaded', 'Unlocked', 'Used', 'Idle', 'true', 'ok'],
  busy: [
    'Charging', 'Preparing', 'Finishing', 'Downloading', 'Uploading', 'Installing', 'Downloaded', 'Pending', 'Scheduled',
    'DownloadScheduled', 'InstallScheduled', 'SignatureVerified', 'InstallRebooting', 'Delivering',
  ],
  hold: ['SuspendedEV', 'SuspendedEVSE', 'Reserved', 'Occupied', 'Expired', 'RebootRequired', 'ConcurrentTx', 'DownloadPaused', 'AcceptedCanceled'],
  bad: [
    'Faulted', 'Terminated', 'Rejected', 'Blocked', 'Invalid', 'Failed', 'Refused', 'UnlockFailed', 'DownloadFailed', 'InstallationFailed',
    'UploadFailed', 'NotSupported', 'NotImplemented', 'VersionMismatch', 'InvalidSignature', 'UnknownVendorId',
    'UnknownMessageId', 'InstallVerificationFailed', 'BadMessage', 'PermissionDenied', 'NotSupportedOperation',
    'UploadFailure', 'InvalidCertificate', 'RevokedCertificate',
  ],
};
const TONE_OF = new Map(Object.entries(TONES).flatMap(([tone, words]) => words.map((entry) => [entry, tone])));

/** The colour of a word of OCPP: good, busy, hold, bad or plain. */
export const tone = (value) => TONE_OF.get(String(value)) ?? 'plain';

/** A word of OCPP as a coloured label; the word itself is its title. */
export function badge(value, shade = tone(value), label = word(value)) {
  if (value === null || value === undefined || value === '') return NONE;
  return h('span', { class: `badge ${shade}`, title: String(value), 'data-word': value }, label);
}

export const onlineBadge = (connected) =>
  h('span', { class: `badge ${connected ? 'good' : 'plain'}`, 'data-connected': String(connected) }, connected ? t('online') : t('offline'));

/** Names and values. */
export function pairs(rows) {
  return h(
    'dl',
    { class: 'pairs' },
    rows.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value instanceof Node ? value : text(value)))),
  );
}

/** A row of buttons. */
export const actions = (...children) => h('div', { class: 'actions' }, children);

/** A short notice that goes by itself. */
export function toast(message, shade = 'good') {
  const note = h('div', { class: `toast ${shade}` }, message);
  document.getElementById('toasts').append(note);
  setTimeout(() => note.remove(), 5000);
}

/** Tabs as links. `tabs` are `[name, label, href]`. */
export function tabs(label, entries, current) {
  return h(
    'nav',
    { class: 'tabs', 'aria-label': label },
    entries.map(([name, title, href]) => h('a', { href, testid: `tab-${name}`, 'aria-current': name === current ? 'page' : null }, title)),
  );
}
