// Forms from a description of their fields, with their values read as the API takes them.

import { fill, h } from './dom.js';
import { t } from './i18n.js';
import { Problem } from './api.js';
import { outcome } from './outcome.js';

let counter = 0;

/**
 * A form of `fields`: `{ name, label, type, value, options, required, hint, ... }`, type being text (default), number,
 * password, datetime, select, check, textarea, json, file or hidden. `onsubmit(values, place)` runs with the values
 * that were filled in; what it throws is shown below the form.
 */
export function form({ fields, submit, onsubmit, testid, kind = 'primary', extra }) {
  const place = outcome(testid ? `${testid}-outcome` : undefined);
  const inputs = fields.map((spec) => ({ spec, ...field(spec) }));
  const send = h('button', { type: 'submit', class: `button ${kind}`, testid: testid && `${testid}-submit` }, submit);
  const node = h(
    'form',
    {
      class: 'form',
      testid,
      onsubmit: async (event) => {
        event.preventDefault();
        send.disabled = true;
        try {
          await onsubmit(values(), place);
        } catch (error) {
          place.failed(error);
        } finally {
          send.disabled = false;
        }
      },
    },
    h('div', { class: 'fields' }, inputs.map((input) => input.node)),
    h('div', { class: 'actions' }, send, extra),
    place.node,
  );
  const values = () => {
    const result = {};
    for (const { spec, input } of inputs) {
      const value = read(spec, input);
      if (value !== undefined) result[spec.name] = value;
    }
    return result;
  };
  const byName = Object.fromEntries(inputs.map(({ spec, input }) => [spec.name, input]));
  return { node, place, values, inputs: byName };
}

/** One labelled input. */
export function field(spec) {
  counter += 1;
  const id = spec.id ?? `field-${counter}-${spec.name}`;
  const hint = spec.hint && h('small', { id: `${id}-hint`, class: 'muted' }, spec.hint);
  const input = control(spec, { id, name: spec.name, required: spec.required, testid: spec.testid, 'aria-describedby': spec.hint ? `${id}-hint` : null });
  const label = h('label', { for: id }, spec.label, spec.required && h('span', { class: 'required', 'aria-hidden': 'true' }, ' *'));
  const check = spec.type === 'check';
  const wide = spec.wide || spec.type === 'json' || spec.type === 'textarea';
  const node = h('div', { class: `field${check ? ' check' : ''}${wide ? ' wide' : ''}` }, check ? [input, label] : [label, input], hint, spec.list && suggestions(id, input, spec.list));
  return { node, input };
}

/** The text of `input` as JSON; an Problem that says where it is none. */
export function readJson(input, name) {
  const source = input.value.trim();
  if (source === '') return undefined;
  try {
    return JSON.parse(source);
  } catch (error) {
    input.setAttribute('aria-invalid', 'true');
    input.addEventListener('input', () => input.removeAttribute('aria-invalid'), { once: true });
    throw new Problem({ kind: 'input', detail: t('problem.json', { name, reason: error.message }) });
  }
}

function control(spec, common) {
  switch (spec.type) {
    case 'select':
      return fill(
        h('select', common),
        spec.options.map((entry) => {
          const [value, label] = Array.isArray(entry) ? entry : [entry, entry];
          return h('option', { value, selected: value === (spec.value ?? '') }, label);
        }),
      );
    case 'check':
      return h('input', { ...common, type: 'checkbox', checked: Boolean(spec.value), required: null });
    case 'textarea':
    case 'json':
      return h('textarea', {
        ...common,
        rows: spec.rows ?? 8,
        class: spec.type === 'json' ? 'mono' : null,
        spellcheck: 'false',
        value: spec.type === 'json' && typeof spec.value !== 'string' ? JSON.stringify(spec.value ?? {}, null, 2) : (spec.value ?? ''),
      });
    case 'file':
      return h('input', { ...common, type: 'file', accept: spec.accept });
    default:
      return h('input', {
        ...common,
        type: spec.type === 'datetime' ? 'datetime-local' : (spec.type ?? 'text'),
        step: spec.type === 'datetime' ? '1' : (spec.step ?? (spec.type === 'number' ? 'any' : null)),
        min: spec.min,
        max: spec.max,
        minlength: spec.minlength,
        maxlength: spec.maxlength,
        pattern: spec.pattern,
        placeholder: spec.placeholder,
        autocomplete: spec.autocomplete ?? 'off',
        autocapitalize: 'none',
        value: spec.value ?? '',
      });
  }
}

function suggestions(id, input, entries) {
  input.setAttribute('list', `${id}-list`);
  return h('datalist', { id: `${id}-list` }, entries.map((entry) => h('option', { value: entry })));
}

function read(spec, input) {
  if (spec.type === 'check') return input.checked;
  if (spec.type === 'file') return input.files[0];
  if (spec.type === 'json') return readJson(input, spec.label);
  if (input.value === '') return spec.empty;
  if (spec.type === 'number') return Number(input.value);
  if (spec.type === 'datetime') return new Date(input.value).toISOString();
  return spec.number ? Number(input.value) : input.value;
}
