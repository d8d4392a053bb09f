// One device.

import { h, json, request, row, table, toast } from '/web/lib.js';
import { t, when } from '/web/i18n.js';
import { features, form, shown, title } from '/web/model.js';

const guarded = work => async (...values) => {
  try {
    const result = await work(...values);
    toast(result ?? t('done'));
  } catch (error) {
    toast(error.message);
  }
};

/** The view, and what is to be told it. */
export async function device(product, name) {
  const base = `/devices/${encodeURIComponent(product)}/${encodeURIComponent(name)}`;
  const { tsl } = await request('GET', `/products/${encodeURIComponent(product)}`);
  const parts = { head: h('section'), properties: h('section'), services: h('section'), history: h('section'), updates: h('section'), wanted: h('section'), behind: h('section') };

  async function head() {
    const it = await request('GET', base);
    const state = it.disabled ? t('disabled') : it.online ? t('online') : t('offline');
    const secret = h('code', {}, '••••••••');
    const runs = Object.entries(it.modules).map(([module, version]) => `${module} ${version}`).join(', ');
    parts.head.replaceChildren(
      h('h1', {}, `${name} · ${product}`),
      h('p', {}, h('b', { class: it.online ? 'on' : 'off' }, state), ` ${it.address ?? ''} ${when(it.online ? it.onlineAt : it.offlineAt)}`,
        runs ? ` · ${t('runs')} ${runs}` : ''),
      h('div', { class: 'row' },
        it.deviceSecret ? [h('span', {}, `${t('secret')}: `, secret), h('button', { onclick: () => { secret.textContent = it.deviceSecret; } }, t('show'))] : null,
        h('button', { onclick: guarded(async () => { await request('PATCH', base, { disabled: !it.disabled }); await head(); }) }, it.disabled ? t('enable') : t('disable')),
        h('button', { onclick: guarded(async () => {
          if (!confirm(t('sure'))) return '';
          await request('DELETE', base);
          location.hash = '#/';
        }) }, t('remove'))));
  }

  async function behind() {
    const [subDevices, gateway] = await Promise.all([request('GET', `${base}/sub-devices`), request('GET', `${base}/gateway`).catch(() => null)]);
    const link = it => h('a', { href: `#/device/${encodeURIComponent(it.productKey)}/${encodeURIComponent(it.deviceName)}` }, `${it.deviceName} · ${it.productKey}`);
    const takeAway = it => guarded(async () => {
      await request('DELETE', `${base}/sub-devices/${encodeURIComponent(it.productKey)}/${encodeURIComponent(it.deviceName)}`);
      await behind();
    });
    const deviceName = h('input', { required: true, size: 12 });
    const productKey = h('input', { required: true, size: 12, value: product });
    const add = guarded(async () => {
      await request('POST', `${base}/sub-devices`, { productKey: productKey.value, deviceName: deviceName.value });
      await behind();
    });
    parts.behind.replaceChildren(h('h2', {}, t('subDevices')),
      gateway ? h('p', {}, `${t('gateway')}: `, link(gateway)) : '',
      subDevices.length ? table([t('device'), t('state'), t('since'), ''], subDevices.map(it => row(link(it),
        h('b', { class: it.online ? 'on' : 'off' }, t(it.online ? 'online' : 'offline')), when(it.since), h('button', { onclick: takeAway(it) }, t('takeAway'))))) : '',
      h('form', { class: 'row', onsubmit: event => { event.preventDefault(); add(); } },
        h('label', {}, t('product'), productKey), h('label', {}, t('name'), deviceName), h('button', {}, t('add'))));
  }

  const listed = features(tsl, 'properties');
  const cells = new Map();
  const body = h('tbody');
  function property(identifier, value, time, isNew) {
    const item = listed.find(each => each.identifier === identifier) ?? { identifier };
    const line = row(title(item), shown(item, value), when(time));
    if (isNew) line.className = 'new';
    if (cells.has(identifier)) cells.get(identifier).replaceWith(line);
    else body.append(line);
    cells.set(identifier, line);
  }
  async function properties() {
    for (const [identifier, { value, time }] of Object.entries(await request('GET', `${base}/properties`))) property(identifier, value, time);
    const settable = listed.filter(item => item.accessMode !== 'r');
    parts.properties.replaceChildren(h('h2', {}, t('properties')),
      h('table', {}, h('thead', {}, h('tr', {}, [t('name'), t('value'), t('time')].map(text => h('th', {}, text)))), body),
      settable.length ? form(settable, t('set'), guarded(values => request('PATCH', `${base}/properties`, values).then(() => null))) : '');
  }

  function services() {
    parts.services.replaceChildren(h('h2', {}, t('services')), ...features(tsl, 'services').map(service => {
      const input = (service.inputData ?? []).map(item => typeof item === 'string' ? listed.find(each => each.identifier === item) ?? { identifier: item } : item);
      const call = guarded(async values => {
        const { data } = await request('POST', `${base}/services/${encodeURIComponent(service.identifier)}`, values);
        return `${t('answer')}: ${JSON.stringify(data)}`;
      });
      return h('div', {}, h('b', {}, title(service)), service.callType === 'sync' ? ` · ${t('sync')}` : '', form(input, t('call'), call));
    }));
  }

  async function history() {
    const entries = (await request('GET', `${base}/history?limit=60`)).filter(entry => entry.kind !== 'property');
    parts.history.replaceChildren(h('h2', {}, `${t('events')} · ${t('history')}`),
      table([t('kind'), t('name'), t('content'), t('answer'), t('time')], entries.map(entry =>
        row(entry.kind, entry.identifier, json(entry.data), entry.code == null ? '' : h('span', {}, `${entry.code} `, json(entry.output)), when(entry.time)))));
  }

  async function updates() {
    const firmware = await request('GET', `/products/${encodeURIComponent(product)}/firmware`);
    const begun = await request('GET', `${base}/updates`);
    const file = h('input', { type: 'file', required: true });
    const version = h('input', { required: true, size: 8, placeholder: '1.0.1' });
    const module = h('input', { size: 8, placeholder: 'default' });
    const upload = guarded(async () => {
      const query = new URLSearchParams({ version: version.value, fileName: file.files[0].name.replace(/[^A-Za-z0-9._-]/g, '_').slice(-64) });
      if (module.value) query.set('module', module.value);
      await request('POST', `/products/${encodeURIComponent(product)}/firmware?${query}`, file.files[0]);
      await updates();
    });
    const push = id => guarded(async () => { await request('POST', `${base}/updates`, { firmwareId: id }); await updates(); });
    parts.updates.replaceChildren(h('h2', {}, t('updates')),
      table([t('version'), t('module'), t('state'), t('step'), t('time')], begun.map(update => row(
        firmware.find(each => each.id === update.firmwareId)?.version ?? '?', update.module, update.state,
        `${update.step ?? ''} ${update.description ?? ''}`, when(update.changedAt)))),
      h('h2', {}, t('file')),
      table([t('version'), t('module'), t('name'), t('size'), ''], firmware.map(each => row(
        each.version, each.module, each.fileName, each.size, h('button', { onclick: push(each.id) }, t('push'))))),
      h('form', { class: 'row', onsubmit: event => { event.preventDefault(); upload(); } }, file,
        h('label', {}, t('version'), version), h('label', {}, t('module'), module), h('button', {}, t('upload'))));
  }

  async function wanted() {
    const [desired, tags] = await Promise.all([request('GET', `${base}/desired`), request('GET', `${base}/tags`)]);
    const shadow = await request('GET', `${base}/shadow`).catch(() => null);
    const text = h('textarea', { placeholder: '{"PowerSwitch": 1}' });
    const change = guarded(async () => { await request('PATCH', `${base}/desired`, JSON.parse(text.value)); await wanted(); });
    parts.wanted.replaceChildren(h('h2', {}, t('wanted')), json(desired),
      h('div', { class: 'row' }, text, h('button', { onclick: change }, t('save'))),
      h('h2', {}, t('tags')), json(tags),
      h('h2', {}, t('shadow')), h('pre', {}, shadow ? JSON.stringify(shadow, null, 1) : t('empty')));
  }

  await Promise.all([head(), properties(), history(), updates(), wanted(), behind()]);
  services();
  const view = h('div', { class: 'columns' }, h('div', { class: 'stack' }, parts.properties, parts.updates),
    h('div', { class: 'stack' }, parts.services, parts.history, parts.wanted, parts.behind));
  const told = (kind, { productKey, deviceName, data, at }) => {
    if (productKey !== product || deviceName !== name) return;
    if (kind === 'properties') for (const [identifier, { value, time }] of Object.entries(data)) property(identifier, value, time ?? at, true);
    if (kind === 'online' || kind === 'offline') head();
    if (kind === 'topology') behind();
    if (kind === 'event' || kind === 'service' || kind === 'message') history();
    if (kind === 'update') { updates(); head(); }
  };
  return [[parts.head, view], told];
}
