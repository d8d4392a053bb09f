// The configuration: what was last read, reading it anew, changing one key.

import * as api from '../../lib/api.js';
import { fill, h } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { timeNode, text } from '../../lib/format.js';
import { problemNode } from '../../lib/problem.js';
import { may } from '../../lib/session.js';
import { form } from '../../lib/form.js';
import { openDialog } from '../../lib/dialog.js';
import { outcome } from '../../lib/outcome.js';
import { badge, button, card } from '../../lib/ui.js';
import { filterBar } from '../../lib/table.js';
import { send } from './send.js';

// The charge point judges its own configuration: these words mean that a value was taken.
const TAKEN = ['Accepted', 'RebootRequired'];

export function configuration({ id, signal }) {
  const place = outcome('outcome-GetConfiguration');
  const unknown = h('div', {});
  const body = h('tbody', { id: 'configuration' });
  const note = h('p', { class: 'muted' });
  let items = [];
  const filters = filterBar([{ name: 'key', label: t('search'), type: 'search' }], () => show());

  const show = () => {
    const wanted = filters.values().key.toLowerCase();
    const shown = items.filter(({ key, value }) => `${key} ${value ?? ''}`.toLowerCase().includes(wanted));
    fill(body, shown.map((item) => row(item)));
    fill(note, items.length === 0 ? t('configuration.empty') : t('list.shownOf', { shown: shown.length, total: items.length }));
  };
  const load = async () => {
    try {
      items = (await api.get(api.path('charge-points', id, 'configuration'), null, signal)).items;
      items.sort((a, b) => a.key.localeCompare(b.key));
      show();
    } catch (error) {
      if (!signal.aborted) fill(note, problemNode(error));
    }
  };
  const readAll = async () => {
    const response = await send(id, 'GetConfiguration', {}, place);
    if (!response) return;
    place.done(t('configuration.read', { count: response.configurationKey?.length ?? 0 }));
    fill(unknown, response.unknownKey?.length > 0 && h('p', { class: 'muted' }, t('configuration.unknown', { keys: response.unknownKey.join(', ') })));
    await load();
  };
  const change = (item) =>
    openDialog(item.key || t('configuration.other'), () => {
      const entry = form({
        testid: 'configuration-form',
        submit: t('configuration.change'),
        fields: [
          { name: 'key', label: t('configuration.key'), value: item.key, required: true, maxlength: 50, wide: true },
          { name: 'value', label: t('configuration.value'), value: item.value ?? '', type: 'textarea', rows: 3, empty: '' },
        ],
        async onsubmit(payload, inner) {
          const response = await send(id, 'ChangeConfiguration', payload, inner);
          if (!TAKEN.includes(response?.status)) return;
          // What the charge point made of the value is its own word, so it is asked.
          await api.command(id, 'GetConfiguration', { key: [payload.key] }).catch(() => null);
          await load();
        },
      });
      return entry.node;
    }, { testid: 'configuration-dialog' });
  const row = (item) =>
    h(
      'tr',
      { testid: `configuration-${item.key}` },
      h('td', { class: 'lead mono', 'data-label': t('configuration.key') }, item.key),
      h('td', { class: 'mono break', 'data-label': t('configuration.value') }, text(item.value)),
      h('td', { 'data-label': t('configuration.access') }, item.odd ? badge('odd', 'hold', t('configuration.odd')) : item.readonly ? badge('readonly', 'plain', t('configuration.readonly')) : may('operator') && button(t('edit'), () => change(item), { testid: `edit-${item.key}` })),
      h('td', { 'data-label': t('configuration.knownAt') }, timeNode(item.knownAt)),
    );
  load();
  return {
    node: card(
      t('tab.configuration'),
      may('operator') && h('div', { class: 'actions' }, button(t('configuration.readAll'), readAll, { kind: 'primary', testid: 'read-configuration' }), button(t('configuration.other'), () => change({ key: '' }))),
      place.node,
      unknown,
      filters.node,
      h('div', { class: 'table-scroll' }, h('table', {}, h('thead', {}, h('tr', {}, ['key', 'value', 'access', 'knownAt'].map((name) => h('th', { scope: 'col' }, t(`configuration.${name}`))))), body)),
      note,
    ),
  };
}
