// Smart charging: setting and clearing profiles, and the schedule that comes of all of them as a picture.

import * as api from '../../lib/api.js';
import { fill, h } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { may } from '../../lib/session.js';
import { chart } from '../../lib/chart.js';
import { link } from '../../lib/router.js';
import { form } from '../../lib/form.js';
import { card, linkButton } from '../../lib/ui.js';
import { send } from './send.js';

const PURPOSES = ['ChargePointMaxProfile', 'TxDefaultProfile', 'TxProfile'];

export function charging({ id, signal }) {
  return { node: h('div', { class: 'stack' }, scheduleCard(id, signal), may('operator') && [setCard(id, signal), clearCard(id)]) };
}

function scheduleCard(id, signal) {
  const picture = h('div', { id: 'schedule' });
  const entry = form({
    testid: 'composite',
    submit: t('schedule.submit'),
    fields: [
      { name: 'connectorId', label: t('connectorId'), type: 'number', value: 1, min: 0, step: 1, required: true, hint: t('connector.zero') },
      { name: 'duration', label: t('schedule.duration'), type: 'number', value: 86400, min: 1, step: 1, required: true },
      { name: 'chargingRateUnit', label: t('schedule.unit'), type: 'select', options: [['', t('any')], ['A', 'A'], ['W', 'W']] },
    ],
    async onsubmit(payload, place) {
      fill(picture);
      const response = await send(id, 'GetCompositeSchedule', payload, place);
      if (response?.chargingSchedule) drawSchedule(picture, response, payload.duration, signal);
      else if (response?.status === 'Accepted') fill(picture, h('p', { class: 'muted' }, t('schedule.none')));
    },
  });
  return card(t('schedule.title'), may('operator') ? entry.node : h('p', { class: 'muted' }, t('role.tooLow')), picture);
}

/** A period holds until the next; the last until the schedule's end. */
function drawSchedule(picture, response, asked, signal) {
  const schedule = response.chargingSchedule;
  const begin = Date.parse(response.scheduleStart ?? schedule.startSchedule ?? new Date().toISOString());
  const end = begin + (schedule.duration ?? asked) * 1000;
  const points = schedule.chargingSchedulePeriod.map(({ startPeriod, limit }) => [begin + startPeriod * 1000, limit]);
  if (points.length > 0 && end > points[points.length - 1][0]) points.push([end, points[points.length - 1][1]]);
  const unit = schedule.chargingRateUnit;
  const picked = chart({ title: t('schedule.limit', { unit }), unit, series: [{ label: t('schedule.limitShort'), points, step: true }], testid: 'schedule-chart', signal });
  fill(picture, picked.node);
}

function setCard(id, signal) {
  const holder = h('div', {}, h('p', { class: 'muted' }, t('loading')));
  api
    .all('/charging-profiles', {}, signal)
    .then((profiles) => fill(holder, profiles.length > 0 ? setForm(id, profiles) : h('p', { class: 'muted' }, t('profiles.empty'))))
    .catch(() => null);
  return card(t('profile.set'), holder, h('div', { class: 'actions' }, linkButton(t('view.charging-profiles'), link('charging-profiles'))));
}

function setForm(id, profiles) {
  return form({
    testid: 'set-profile',
    submit: 'SetChargingProfile',
    fields: [
      { name: 'profile', label: t('profile.stored'), type: 'select', options: profiles.map(({ name }) => [name, name]) },
      { name: 'connectorId', label: t('connectorId'), type: 'number', value: 0, min: 0, step: 1, required: true, hint: t('connector.zero') },
      { name: 'transactionId', label: t('profile.transactionId'), type: 'number', step: 1, hint: t('profile.transactionHint') },
    ],
    async onsubmit({ profile, connectorId, transactionId }, place) {
      if (transactionId === undefined) return send(id, 'SetChargingProfile', { connectorId }, place, { profile });
      const stored = profiles.find(({ name }) => name === profile);
      const csChargingProfiles = { ...(stored.profile ?? stored), transactionId };
      delete csChargingProfiles.name;
      return send(id, 'SetChargingProfile', { connectorId, csChargingProfiles }, place);
    },
  }).node;
}

function clearCard(id) {
  return card(
    t('profile.clear'),
    h('p', { class: 'muted' }, t('profile.clearAbout')),
    form({
      testid: 'clear-profile',
      submit: 'ClearChargingProfile',
      kind: 'danger',
      fields: [
        { name: 'id', label: 'chargingProfileId', type: 'number', step: 1 },
        { name: 'connectorId', label: t('connectorId'), type: 'number', min: 0, step: 1 },
        { name: 'chargingProfilePurpose', label: t('profile.purpose'), type: 'select', options: [['', t('any')], ...PURPOSES.map((purpose) => [purpose, purpose])] },
        { name: 'stackLevel', label: t('profile.stackLevel'), type: 'number', min: 0, step: 1 },
      ],
      onsubmit: (payload, place) => send(id, 'ClearChargingProfile', payload, place),
    }).node,
  );
}
