// The stored charging profiles.

import * as api from '../lib/api.js';
import { fill, h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { text } from '../lib/format.js';
import { may } from '../lib/session.js';
import { form } from '../lib/form.js';
import { confirmDialog, openDialog } from '../lib/dialog.js';
import { table } from '../lib/table.js';
import { actions, button, heading } from '../lib/ui.js';
import { profileForm } from './charging-profile-form.js';

export function chargingProfilesView({ outlet, signal }) {
  const remove = (name) =>
    confirmDialog(t('profiles.deleteQuestion', { name }), t('delete'), async () => {
      await api.remove(api.path('charging-profiles', name));
      list.reload();
    });
  const list = table({
    testid: 'charging-profiles',
    caption: t('view.charging-profiles'),
    rowId: 'charging-profile',
    key: (item) => item.name,
    empty: t('profiles.empty'),
    columns: [
      { label: t('name'), class: 'lead', cell: (item) => h('strong', {}, item.name) },
      { label: t('profile.purpose'), cell: (item) => text(profileOf(item).chargingProfilePurpose) },
      { label: t('profile.kind'), cell: (item) => text(profileOf(item).chargingProfileKind) },
      { label: t('profile.stackLevel'), cell: (item) => text(profileOf(item).stackLevel) },
      { label: t('profile.periods'), cell: (item) => periods(profileOf(item)) },
      {
        label: t('actions'),
        cell: (item) =>
          may('operator') &&
          actions(
            button(t('editJson'), () => jsonDialog(item.name, profileOf(item), list.reload), { testid: `edit-profile-${item.name}` }),
            may('admin') && button(t('delete'), () => remove(item.name), { kind: 'danger', testid: `delete-profile-${item.name}` }),
          ),
      },
    ],
    fetch: (cursor) => api.get('/charging-profiles', { cursor }, signal),
  });
  list.reload();
  const add = () => openDialog(t('profiles.add'), (close) => profileForm((name, profile) => save(name, profile, close, list.reload)), { testid: 'profile-dialog' });
  fill(outlet, heading(t('view.charging-profiles'), may('operator') && button(t('profiles.add'), add, { kind: 'primary', testid: 'add-profile' })), list.node);
}

/** A list's item holds the profile beside its name, or as its own members. */
export function profileOf(item) {
  return item.profile ?? item;
}

async function save(name, profile, close, changed) {
  await api.put(api.path('charging-profiles', name), profile);
  close();
  changed();
}

function periods(profile) {
  const schedule = profile.chargingSchedule;
  if (!schedule) return text(null);
  const unit = schedule.chargingRateUnit;
  const list = schedule.chargingSchedulePeriod ?? [];
  const shown = list.slice(0, 4).map(({ startPeriod, limit }) => `${clockOf(startPeriod)} ${limit} ${unit}`);
  return [...shown, list.length > 4 && '…'].filter(Boolean).join(' · ');
}

function clockOf(seconds) {
  const two = (part) => String(part).padStart(2, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}`;
}

function jsonDialog(name, profile, changed) {
  openDialog(name, (close) => {
    const { name: _, ...body } = profile;
    return form({
      testid: 'profile-json',
      submit: t('save'),
      fields: [{ name: 'profile', label: 'ChargingProfile', type: 'json', rows: 20, value: body }],
      onsubmit: (values) => save(name, values.profile, close, changed),
    }).node;
  });
}
