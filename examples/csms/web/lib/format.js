// Times, energies and sizes as a reader expects them; nothing known is shown as a dash.

import { h } from './dom.js';
import { locale } from './i18n.js';

export const NONE = '–';

export function dateTime(value) {
  if (!value) return NONE;
  const time = new Date(value);
  if (Number.isNaN(time.getTime())) return String(value);
  return time.toLocaleString(locale(), {
    year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false,
  });
}

export function clock(value, millis = false) {
  const options = { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false };
  if (millis) options.fractionalSecondDigits = 3;
  return new Date(value).toLocaleTimeString(locale(), options);
}

/** A time for people, and for programs in its attribute. */
export function timeNode(value) {
  return value ? h('time', { datetime: value, title: value }, dateTime(value)) : NONE;
}

/** A number with at most `digits` decimals. */
export function number(value, digits = 2) {
  if (value === null || value === undefined || Number.isNaN(Number(value))) return NONE;
  return Number(value).toLocaleString(locale(), { maximumFractionDigits: digits });
}

/** Wh as kWh. */
export function energy(wh) {
  return wh === null || wh === undefined ? NONE : `${number(wh / 1000, 3)} kWh`;
}

export function duration(ms) {
  if (!Number.isFinite(ms) || ms < 0) return NONE;
  const seconds = Math.floor(ms / 1000);
  const two = (part) => String(part).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

export function bytes(size) {
  if (size === null || size === undefined) return NONE;
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let power = 0;
  let value = size;
  while (value >= 1024 && power < units.length - 1) {
    value /= 1024;
    power += 1;
  }
  return `${number(value, 1)} ${units[power]}`;
}

export function text(value) {
  if (value === null || value === undefined || value === '') return NONE;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** A JSON text over several lines; a text that is no JSON as it is. */
export function pretty(source) {
  try {
    return JSON.stringify(typeof source === 'string' ? JSON.parse(source) : source, null, 2);
  } catch {
    return String(source);
  }
}

/** What an `<input type=datetime-local>` takes. */
export function toInput(time) {
  const local = new Date(time.getTime() - time.getTimezoneOffset() * 60000);
  return local.toISOString().slice(0, 19);
}
