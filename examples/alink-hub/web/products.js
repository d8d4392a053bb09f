// Products: who may register, and the configuration of their devices.

import { ask, button, h, nothing, outcome, part, request, secret } from '/web/lib.js';
import { t } from '/web/i18n.js';

function product(productKey) {
  const address = `/products/${encodeURIComponent(productKey)}`;
  const told = outcome(`product-${productKey}-outcome`);
  const view = part(productKey, async () => {
    const it = await request('GET', address);
    const config = await request('GET', `${address}/config`).catch(error => {
      if (error.status === 404) return null;
      throw error;
    });
    const mode = h('select', { name: 'registration' }, ['off', 'known', 'any'].map(value => h('option', { value, selected: value === it.dynamicRegistration }, t(value))));
    mode.addEventListener('change', () => told.run(() => request('PATCH', address, { dynamicRegistration: mode.value }).then(() => null)));
    const text = h('textarea', { name: 'config' }, config?.content ?? '');
    const save = push => () => told.run(async () => {
      const { told: count } = await request('PUT', `${address}/config?push=${push}`, text.value);
      return push ? `${t('toldDevices')}: ${count}` : t('done');
    });
    const remove = () => ask(t('sureConfig'), t('remove'), async () => {
      await request('DELETE', `${address}/config`);
      await view.refresh();
    });
    return [
      h('p', {}, `${t('properties')} ${it.properties} · ${t('events')} ${it.events} · ${t('services')} ${it.services} · ${t('devices')} ${it.devices} · ${(it.files ?? []).join(', ')}`),
      it.productSecret && secret('ProductSecret', it.productSecret),
      h('div', { class: 'row' }, h('label', {}, t('registration'), mode)),
      h('div', { class: 'row' }, h('label', {}, t('config'), text), button(t('save'), save(false)), button(t('savePush'), save(true)),
        config && button(t('remove'), remove)),
    ];
  }, { testid: `product-${productKey}`, beside: [told.node] });
  return view.node;
}

export async function products() {
  const all = await request('GET', '/products');
  const views = all.length ? all.map(each => product(each.productKey)) : [h('section', {}, nothing(t('noProducts')))];
  return [[h('h1', {}, t('products')), ...views], () => {}];
}
