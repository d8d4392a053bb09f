// Forms from a thing model.

import { h } from '/web/lib.js';
import { t } from '/web/i18n.js';

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

export const title = item => item.name && item.name !== item.identifier ? `${item.name} (${item.identifier})` : item.identifier;

/** A value with what the model says of it. */
export function shown(item, value) {
  const { type, specs } = item?.dataType ?? {};
  if (type === 'enum' || type === 'bool') return `${value} ${specs?.[String(value)] ?? ''}`.trim();
  if (type === 'date') return new Date(Number(value)).toLocaleString();
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return specs?.unit ? `${text} ${specs.unit}` : text;
}

/** A field, and a function that gives its value, or `undefined` if it is left empty. */
export function field(item) {
  const { type, specs } = item.dataType ?? {};
  let input;
  if (type === 'bool' || type === 'enum') {
    input = h('select', {}, h('option', { value: '' }, t('unset')),
      Object.entries(specs ?? {}).map(([key, label]) => h('option', { value: key }, `${key} ${label}`)));
  } else if (['int', 'float', 'double'].includes(type)) {
    input = h('input', { type: 'number', min: specs?.min, max: specs?.max, step: type === 'int' ? specs?.step ?? 1 : 'any' });
  } else if (type === 'text' || type === 'date') {
    input = h('input', { type: 'text', maxlength: type === 'text' ? specs?.length : null });
  } else {
    input = h('textarea', { placeholder: type === 'array' ? '[]' : '{}' });
  }
  const value = () => {
    if (input.value === '') return undefined;
    if (type === 'text' || type === 'date') return input.value;
    return input.tagName === 'TEXTAREA' ? JSON.parse(input.value) : Number(input.value);
  };
  return [h('label', {}, title(item), input), value];
}

/** A form for several; `done` gets an object of those that are filled in. */
export function form(items, label, done) {
  const fields = items.map(item => [item.identifier, ...field(item)]);
  const button = h('button', { class: 'first' }, label);
  const submit = async event => {
    event.preventDefault();
    button.disabled = true;
    try {
      const entries = fields.map(([identifier, , value]) => [identifier, value()]);
      await done(Object.fromEntries(entries.filter(([, value]) => value !== undefined)));
    } finally {
      button.disabled = false;
    }
  };
  return h('form', { class: 'row', onsubmit: submit }, fields.map(([, element]) => element), button);
}
