// A charging profile written as a form, with its periods as rows.

import { h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { form } from '../lib/form.js';
import { button } from '../lib/ui.js';

const PURPOSES = ['TxDefaultProfile', 'ChargePointMaxProfile', 'TxProfile'];
const KINDS = ['Absolute', 'Recurring', 'Relative'];

/** `save(name, profile)` may throw; the form shows why. */
export function profileForm(save) {
  const rows = periodRows();
  const entry = form({
    testid: 'profile-form',
    submit: t('save'),
    fields: [
      { name: 'name', label: t('name'), required: true, maxlength: 64 },
      { name: 'chargingProfileId', label: 'chargingProfileId', type: 'number', value: 1, step: 1, required: true },
      { name: 'stackLevel', label: t('profile.stackLevel'), type: 'number', value: 0, min: 0, step: 1, required: true },
      { name: 'chargingProfilePurpose', label: t('profile.purpose'), type: 'select', value: PURPOSES[0], options: PURPOSES },
      { name: 'chargingProfileKind', label: t('profile.kind'), type: 'select', value: 'Relative', options: KINDS },
      { name: 'recurrencyKind', label: t('profile.recurrency'), type: 'select', options: [['', t('none')], 'Daily', 'Weekly'] },
      { name: 'chargingRateUnit', label: t('schedule.unit'), type: 'select', value: 'A', options: ['A', 'W'] },
      { name: 'duration', label: t('schedule.duration'), type: 'number', min: 1, step: 1 },
      { name: 'startSchedule', label: t('profile.startSchedule'), type: 'datetime' },
      { name: 'minChargingRate', label: t('profile.minChargingRate'), type: 'number', min: 0, step: 0.1 },
      { name: 'validFrom', label: t('profile.validFrom'), type: 'datetime' },
      { name: 'validTo', label: t('profile.validTo'), type: 'datetime' },
    ],
    onsubmit: ({ name, ...values }) => save(name, profile(values, rows.periods())),
  });
  entry.node.querySelector('.fields').after(rows.node);
  return entry.node;
}

function profile(values, chargingSchedulePeriod) {
  const { chargingRateUnit, duration, startSchedule, minChargingRate, ...rest } = values;
  return { ...rest, chargingSchedule: { duration, startSchedule, chargingRateUnit, chargingSchedulePeriod, minChargingRate } };
}

function periodRows() {
  const body = h('tbody', {});
  const input = (name, label, value, attributes) => h('td', { 'data-label': label }, h('input', { type: 'number', name, 'aria-label': label, value, ...attributes }));
  const add = (start, limit) => {
    const row = h(
      'tr',
      { class: 'period' },
      input('startPeriod', t('profile.startPeriod'), start, { min: 0, step: 1, required: true }),
      input('limit', t('profile.limit'), limit, { min: 0, step: 0.1, required: true }),
      input('numberPhases', t('profile.numberPhases'), '', { min: 1, max: 3, step: 1 }),
      h('td', {}, button('×', () => body.childElementCount > 1 && row.remove(), { kind: 'quiet', 'aria-label': t('profile.removePeriod') })),
    );
    body.append(row);
  };
  const last = () => Number(body.lastElementChild?.querySelector('[name=startPeriod]').value ?? 0);
  add(0, 16);
  const head = h('tr', {}, [t('profile.startPeriod'), t('profile.limit'), t('profile.numberPhases'), ''].map((label) => h('th', { scope: 'col' }, label)));
  const node = h(
    'fieldset',
    { class: 'periods' },
    h('legend', {}, t('profile.periods')),
    h('table', {}, h('thead', {}, head), body),
    button(t('profile.addPeriod'), () => add(last() + 3600, 16), { testid: 'add-period' }),
  );
  const periods = () =>
    [...body.children].map((row) => {
      const value = (name) => row.querySelector(`[name=${name}]`).value;
      const phases = value('numberPhases');
      return { startPeriod: Number(value('startPeriod')), limit: Number(value('limit')), ...(phases === '' ? {} : { numberPhases: Number(phases) }) };
    });
  return { node, periods };
}
