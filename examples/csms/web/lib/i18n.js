// Two languages; the browser's own unless the user has chosen one.

import en from '../i18n/en.js';
import zh from '../i18n/zh.js';
import { remember, remembered } from './memory.js';

const DICTIONARIES = { en, zh };
export const LANGUAGES = [
  ['zh', '中文'],
  ['en', 'English'],
];

let current = initial();

/** The language in use, `en` or `zh`. */
export const language = () => current;

/** The locale for dates and numbers. */
export const locale = () => (current === 'zh' ? 'zh-CN' : 'en-GB');

export function setLanguage(code) {
  current = code in DICTIONARIES ? code : 'en';
  remember('language', current);
  document.documentElement.lang = current === 'zh' ? 'zh-CN' : 'en';
}

/** The text of `key`, with each `{name}` filled in. */
export function t(key, params = {}) {
  const text = DICTIONARIES[current][key];
  if (text === undefined) {
    console.warn(`no text ${key} in ${current}`);
    return key;
  }
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in params ? String(params[name]) : whole));
}

/** A word of OCPP (a status, a reason) in the user's language; a word that is not known is shown as it came. */
export function word(value) {
  if (value === null || value === undefined) return '';
  return DICTIONARIES[current][`word.${value}`] ?? String(value);
}

function initial() {
  const chosen = remembered('language');
  if (chosen in DICTIONARIES) return chosen;
  const first = (navigator.languages ?? [navigator.language]).find((tag) => /^(zh|en)\b/i.test(tag));
  return first && /^zh/i.test(first) ? 'zh' : 'en';
}
