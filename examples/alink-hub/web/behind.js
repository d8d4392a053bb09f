// What is behind a gateway, and which gateway a device is behind.

import { ask, button, h, nothing, outcome, part, request, row, table } from '/web/lib.js';
import { t, when } from '/web/i18n.js';

export function behind(base, product) {
  const told = outcome('behind-outcome');
  const names = it => `${encodeURIComponent(it.productKey)}/${encodeURIComponent(it.deviceName)}`;
  const link = it => h('a', { href: `#/device/${names(it)}` }, `${it.deviceName} · ${it.productKey}`);
  const takeAway = it => ask(`${t('sureTakeAway')} (${it.deviceName})`, t('takeAway'), async () => {
    await request('DELETE', `${base}/sub-devices/${names(it)}`);
    await list.refresh();
  });
  const deviceName = h('input', { name: 'subDeviceName', required: true, size: 12 });
  const productKey = h('input', { name: 'subProductKey', required: true, size: 12, value: product });
  const add = event => {
    event.preventDefault();
    return told.run(async () => {
      await request('POST', `${base}/sub-devices`, { productKey: productKey.value, deviceName: deviceName.value });
      await list.refresh();
    });
  };
  const form = h('form', { class: 'row', onsubmit: add, testid: 'add-sub-device' },
    h('label', {}, t('product'), productKey), h('label', {}, t('name'), deviceName), h('button', {}, t('add')));
  const list = part(t('subDevices'), async () => {
    const [all, gateway] = await Promise.all([request('GET', `${base}/sub-devices`), request('GET', `${base}/gateway`)]);
    return [
      gateway && h('p', { testid: 'gateway' }, `${t('gateway')}: `, link(gateway)),
      all.length ? table([t('device'), t('state'), t('since'), ''], all.map(it => row(link(it),
        h('b', { class: it.online ? 'on' : 'off' }, t(it.online ? 'online' : 'offline')), when(it.since),
        button(t('takeAway'), () => takeAway(it), { testid: `take-away-${it.deviceName}` })))) : nothing(t('noSubDevices')),
    ];
  }, { testid: 'sub-devices', beside: [form, told.node] });
  return { node: list.node, refresh: list.refresh };
}
