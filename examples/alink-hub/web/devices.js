// All devices, and a form for one more.

import { button, h, nothing, outcome, part, request, row, table } from '/web/lib.js';
import { path, t, when } from '/web/i18n.js';

/** How many at first, and how many more each time. */
const PAGE = 200;

export async function devices() {
  const products = await request('GET', '/products');
  const option = each => h('option', { value: each.productKey }, each.productKey);
  const chosen = h('select', { name: 'product', 'aria-label': t('product') }, h('option', { value: '' }, t('all')), products.map(option));
  let pages = 1;

  async function fetched() {
    const items = [];
    let next = null;
    for (let page = 0; page < pages && (page === 0 || next); page += 1) {
      const query = new URLSearchParams({ limit: PAGE });
      if (chosen.value) query.set('productKey', chosen.value);
      if (next) query.set('after', next);
      const answer = await request('GET', `/devices?${query}`);
      items.push(...answer.items);
      next = answer.next;
    }
    return { items, next };
  }

  const link = it => h('a', { href: path('device', it.productKey, it.deviceName) }, it.deviceName);
  const state = it => {
    const name = it.disabled ? 'disabled' : it.online ? 'online' : 'offline';
    return h('span', { class: { disabled: 'warn', online: 'on', offline: 'off' }[name], 'data-state': name, testid: `state-${it.deviceName}` }, t(name));
  };
  const list = part(null, async () => {
    const { items, next } = await fetched();
    if (!items.length) return nothing(t(products.length ? 'noDevices' : 'noProducts'));
    return [
      table([t('device'), t('product'), t('state'), t('address'), t('since')],
        items.map(it => row(link(it), it.productKey, state(it), it.address, when(it.online ? it.onlineAt : it.offlineAt)))),
      next && button(t('more'), () => { pages += 1; list.refresh(); }),
    ];
  }, { testid: 'devices' });
  chosen.addEventListener('change', () => { pages = 1; list.refresh(); });

  const name = h('input', { name: 'name', required: true, maxlength: 64, pattern: '[A-Za-z0-9_@.:\\-]+', title: t('nameHint') });
  const product = h('select', { name: 'product' }, products.map(option));
  const told = outcome('add-outcome');
  const add = event => {
    event.preventDefault();
    return told.run(async () => {
      const made = await request('POST', '/devices', { productKey: product.value, deviceName: name.value });
      location.hash = path('device', made.productKey, made.deviceName);
    });
  };
  const form = products.length ? h('section', {}, h('h2', {}, t('addDevice')), h('form', { onsubmit: add, testid: 'add' }, h('div', { class: 'row' },
    h('label', {}, t('product'), product), h('label', {}, t('name'), name), h('button', { class: 'first', testid: 'add-submit' }, t('add'))), told.node)) : null;
  const head = h('div', { class: 'row head' }, h('h1', {}, t('devices')), products.length > 1 ? chosen : null);
  return [[head, list.node, form].filter(Boolean), kind => {
    if (kind === 'online' || kind === 'offline' || kind === 'lagged') list.refresh();
  }];
}
