// One device.

import { ask, button, h, outcome, part, request, secret } from '/web/lib.js';
import { behind } from '/web/behind.js';
import { t, when } from '/web/i18n.js';
import { history } from '/web/history.js';
import { properties } from '/web/properties.js';
import { services } from '/web/services.js';
import { updates } from '/web/updates.js';
import { uploads } from '/web/uploads.js';
import { wanted } from '/web/wanted.js';

/** The view, and what is to be told it. */
export async function device(product, name) {
  const base = `/devices/${encodeURIComponent(product)}/${encodeURIComponent(name)}`;
  // If there is no such device, the view is nothing but the reason.
  const [{ tsl }] = await Promise.all([request('GET', `/products/${encodeURIComponent(product)}`), request('GET', base)]);

  const changed = outcome('device-outcome');
  const head = part(null, async () => {
    const it = await request('GET', base);
    const state = it.disabled ? 'disabled' : it.online ? 'online' : 'offline';
    const runs = Object.entries(it.modules).map(([module, version]) => `${module} ${version}`).join(', ');
    const disable = () => request('PATCH', base, { disabled: !it.disabled }).then(head.refresh);
    const turn = () => it.disabled ? changed.run(disable) : ask(t('sureDisable'), t('disable'), disable);
    const remove = () => ask(t('sure'), t('remove'), async () => {
      await request('DELETE', base);
      location.hash = '#/';
    });
    return [
      h('p', {}, h('b', { class: it.online ? 'on' : 'off', 'data-state': state, testid: 'state' }, t(state)), ` ${when(it.online ? it.onlineAt : it.offlineAt)}`,
        it.address ? ` · ${it.address}` : '', runs ? ` · ${t('runs')} ${runs}` : ''),
      h('div', { class: 'row' }, it.deviceSecret && secret(t('secret'), it.deviceSecret, 'secret'),
        button(t(it.disabled ? 'enable' : 'disable'), turn, { testid: 'disable' }), button(t('remove'), remove, { class: 'danger', testid: 'remove' })),
    ];
  }, { testid: 'device', beside: [changed.node] });

  const parts = { properties: properties(base, tsl), updates: updates(base, product), history: history(base), uploads: uploads(base), behind: behind(base, product) };
  const view = h('div', { class: 'columns' },
    h('div', { class: 'stack' }, parts.properties.node, parts.history.node),
    h('div', { class: 'stack' }, services(base, tsl), parts.updates.nodes, parts.uploads.node, parts.behind.node, wanted(base)));
  const told = (kind, { productKey, deviceName, data }) => {
    if (kind === 'lagged') return Object.values(parts).forEach(each => each.refresh());
    if (productKey !== product || deviceName !== name) return;
    if (kind === 'properties') parts.properties.told(data);
    if (kind === 'online' || kind === 'offline') head.refresh();
    if (kind === 'properties') parts.history.told('property');
    if (kind === 'event' || kind === 'service' || kind === 'message') parts.history.told(kind);
    if (kind === 'topology') parts.behind.refresh();
    if (kind === 'update') {
      parts.updates.refresh();
      head.refresh();
    }
  };
  return [[h('h1', {}, name, h('small', {}, ` ${product}`)), head.node, view], told];
}
