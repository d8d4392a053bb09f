// What a thing model says, and forms from it.

import { h, outcome } from '/web/lib.js';
import { locale, t } from '/web/i18n.js';

/** Features of all modules, each with its qualified identifier. */
export function features(tsl, kind) {
  if (!tsl) return [];
  const of = node => {
    const before = node.functionBlockId ? `${node.functionBlockId}:` : '';
    return (node[kind] ?? []).map(item => ({ ...item, identifier: before + item.identifier }));
  };
  const builtIn = { events: ['post'], services: ['set', 'get'], properties: [] }[kind];
  return [tsl, ...(tsl.functionBlocks ?? [])].flatMap(of).filter(item => !builtIn.includes(item.identifier));
}

const NUMBERS = ['int', 'float', 'double'];

export const title = item => item.name && item.name !== item.identifier ? `${item.name} (${item.identifier})` : item.identifier;
export const isNumber = item => NUMBERS.includes(item.dataType?.type);
export const unit = item => item.dataType?.specs?.unit;

/** A value with what the model says of it. */
export function shown(item, value) {
  const { type, specs } = item?.dataType ?? {};
  if (type === 'enum' || type === 'bool') return `${value} ${specs?.[String(value)] ?? ''}`.trim();
  if (type === 'date') return new Date(Number(value)).toLocaleString(locale());
  if (type === 'struct' && Array.isArray(specs) && value && typeof value === 'object') {
    return Object.entries(value).map(([identifier, part]) => `${identifier}: ${shown(specs.find(each => each.identifier === identifier), part)}`).join(' · ');
  }
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return specs?.unit ? `${text} ${specs.unit}` : text;
}

/** A field, and a function that gives its value, or `undefined` if it is left empty. */
function field(item) {
  const { type, specs } = item.dataType ?? {};
  const name = item.identifier;
  let input;
  if (type === 'bool' || type === 'enum') {
    input = h('select', { name }, h('option', { value: '' }, t('unset')),
      Object.entries(specs ?? {}).map(([key, label]) => h('option', { value: key }, `${key} ${label}`)));
  } else if (NUMBERS.includes(type)) {
    input = h('input', { name, type: 'number', min: specs?.min, max: specs?.max, step: type === 'int' ? specs?.step ?? 1 : 'any' });
  } else if (type === 'text' || type === 'date') {
    input = h('input', { name, type: 'text', maxlength: type === 'text' ? specs?.length : null });
  } else {
    input = h('textarea', { name, placeholder: type === 'array' ? '[]' : '{}' });
  }
  const value = () => {
    if (input.value === '') return undefined;
    if (type === 'text' || type === 'date') return input.value;
    return input.tagName === 'TEXTAREA' ? parsed(input.value) : Number(input.value);
  };
  return [h('label', {}, title(item), input), value];
}

/** JSON that somebody wrote. */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${t('noJson')}: ${error.message}`);
  }
}

/** A form for several; `done` gets an object of those that are filled in, and what it returns is shown. */
export function form(items, label, done, testid) {
  const fields = items.map(item => [item.identifier, ...field(item)]);
  const submit = h('button', { class: 'first', testid: `${testid}-submit` }, label);
  const { node: told, run } = outcome(`${testid}-outcome`);
  const send = async event => {
    event.preventDefault();
    submit.disabled = true;
    await run(() => {
      const entries = fields.map(([identifier, , value]) => [identifier, value()]);
      return done(Object.fromEntries(entries.filter(([, value]) => value !== undefined)));
    });
    submit.disabled = false;
  };
  return h('form', { onsubmit: send, testid }, h('div', { class: 'row' }, fields.map(([, element]) => element), submit), told);
}
