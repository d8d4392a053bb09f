// The page: which view is shown, and what it is told.

import { Refused, h, json, listen, request, row, table, toast } from '/web/lib.js';
import { switchLanguage, t, when } from '/web/i18n.js';
import { device } from '/web/device.js';

const main = document.getElementById('main');
let told = () => {};
let listening = new AbortController();

const path = (...parts) => `#/${parts.map(encodeURIComponent).join('/')}`;

async function devices() {
  const products = await request('GET', '/products');
  const body = h('section');
  async function fill() {
    const { items, next } = await request('GET', '/devices?limit=1000');
    const link = it => h('a', { href: path('device', it.productKey, it.deviceName) }, it.deviceName);
    const state = it => it.disabled ? h('span', { class: 'warn' }, t('disabled')) : h('span', { class: it.online ? 'on' : 'off' }, it.online ? t('online') : t('offline'));
    body.replaceChildren(h('h2', {}, t('devices')), items.length
      ? table([t('device'), t('product'), t('state'), t('address'), t('since')],
        items.map(it => row(link(it), it.productKey, state(it), it.address, when(it.online ? it.onlineAt : it.offlineAt))))
      : t('noDevices'), next ? '…' : '');
  }
  await fill();
  const name = h('input', { required: true, maxlength: 64 });
  const product = h('select', {}, products.map(each => h('option', {}, each.productKey)));
  const add = async event => {
    event.preventDefault();
    try {
      const made = await request('POST', '/devices', { productKey: product.value, deviceName: name.value });
      location.hash = path('device', made.productKey, made.deviceName);
    } catch (error) {
      toast(error.message);
    }
  };
  const form = h('form', { class: 'row', onsubmit: add }, h('label', {}, t('product'), product), h('label', {}, t('name'), name), h('button', { class: 'first' }, t('add')));
  return [[body, products.length ? h('section', {}, form) : h('section', {}, t('noProducts'))], kind => {
    if (kind === 'online' || kind === 'offline') fill();
  }];
}

async function products() {
  const all = await request('GET', '/products');
  const parts = await Promise.all(all.map(async ({ productKey }) => {
    const address = `/products/${encodeURIComponent(productKey)}`;
    const it = await request('GET', address);
    const config = await request('GET', `${address}/config`).catch(() => null);
    const mode = h('select', {}, ['off', 'known', 'any'].map(value => h('option', { value, selected: value === it.dynamicRegistration }, t(value))));
    const tried = work => () => work().then(() => toast(t('done')), error => toast(error.message));
    mode.addEventListener('change', tried(() => request('PATCH', address, { dynamicRegistration: mode.value })));
    const text = h('textarea', {}, config?.content ?? '');
    const save = push => tried(() => request('PUT', `${address}/config?push=${push}`, text.value));
    const secret = h('code', {}, '••••••••');
    return h('section', {}, h('h2', {}, productKey),
      h('p', {}, `${t('properties')} ${it.properties} · ${t('events')} ${it.events} · ${t('services')} ${it.services} · ${t('devices')} ${it.devices} · ${it.files.join(', ')}`),
      it.productSecret ? h('div', { class: 'row' }, h('span', {}, 'ProductSecret: ', secret), h('button', { onclick: () => { secret.textContent = it.productSecret; } }, t('show'))) : null,
      h('div', { class: 'row' }, h('label', {}, t('registration'), mode)),
      h('div', { class: 'row' }, h('label', {}, t('config'), text), h('button', { onclick: save(false) }, t('save')), h('button', { onclick: save(true) }, t('savePush'))));
  }));
  return [parts.length ? parts : [h('section', {}, t('noProducts'))], () => {}];
}

async function log() {
  const body = h('section');
  async function fill() {
    const entries = await request('GET', '/log?limit=300');
    body.replaceChildren(h('h2', {}, t('log')), table([t('time'), t('level'), t('source'), t('device'), t('content')], entries.map(it =>
      row(when(it.at), it.level, it.source, `${it.deviceName} · ${it.productKey}`, h('span', {}, it.content, it.details ? [' ', json(it.details)] : '')))));
  }
  await fill();
  return [[body], kind => { if (kind === 'log') fill(); }];
}

function login() {
  const token = h('input', { type: 'password', required: true, autocomplete: 'off' });
  const enter = event => {
    event.preventDefault();
    sessionStorage.setItem('token', token.value.trim());
    start();
  };
  return h('section', {}, h('p', {}, t('needsToken')), h('form', { class: 'row', onsubmit: enter }, h('label', {}, t('token'), token), h('button', { class: 'first' }, t('enter'))));
}

async function show() {
  document.getElementById('language').textContent = t('language');
  document.getElementById('nav').replaceChildren(...[['', 'devices'], ['products', 'products'], ['log', 'log']].map(([to, key]) => h('a', { href: `#/${to}` }, t(key))));
  const [view, ...rest] = location.hash.slice(2).split('/').map(decodeURIComponent);
  const wanted = location.hash;
  try {
    const views = { '': devices, products, log, device };
    const [parts, tell] = await (views[view] ?? devices)(...rest);
    if (wanted !== location.hash) return;
    told = tell;
    main.replaceChildren(...parts);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) main.replaceChildren(login());
    else main.replaceChildren(h('section', {}, error.message));
  }
}

function start() {
  listening.abort();
  listening = new AbortController();
  const live = document.getElementById('live');
  const state = is => { live.textContent = t(is ? 'live' : 'broken'); live.className = is ? 'on' : 'off'; };
  listen((kind, data) => told(kind, data), state, listening.signal);
  show();
}

addEventListener('hashchange', show);
document.getElementById('language').addEventListener('click', () => { switchLanguage(); show(); });
start();
