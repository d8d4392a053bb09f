// The page: which view is shown, and what it is told.

import { button, h, listen } from '/web/lib.js';
import { switchLanguage, t } from '/web/i18n.js';
import { device } from '/web/device.js';
import { devices } from '/web/devices.js';
import { log } from '/web/log.js';
import { products } from '/web/products.js';

const VIEWS = { '': devices, products, log, device };
const place = document.getElementById('view');
let told = () => {};
let listening = new AbortController();
let shown = 0;

/** The token stays in this tab's memory, and goes nowhere but into a header. */
function login() {
  shown += 1;
  told = () => {};
  const isWrong = sessionStorage.getItem('token') !== null;
  sessionStorage.removeItem('token');
  const token = h('input', { name: 'token', type: 'password', required: true, autocomplete: 'off' });
  const enter = event => {
    event.preventDefault();
    sessionStorage.setItem('token', token.value.trim());
    start();
  };
  place.replaceChildren(h('h1', {}, t('login')), h('section', { testid: 'login-view' }, h('p', {}, t('needsToken')),
    h('form', { onsubmit: enter, testid: 'login' }, h('div', { class: 'row' }, h('label', {}, t('token'), token), h('button', { class: 'first', testid: 'login-submit' }, t('enter'))),
      isWrong && h('p', { class: 'bad', role: 'alert', testid: 'login-outcome' }, t('wrongToken')))));
  token.focus();
}

function logout() {
  sessionStorage.removeItem('token');
  start();
}

function frame(view) {
  document.getElementById('language').textContent = t('language');
  const link = ([to, key]) => h('a', { href: `#/${to}`, 'aria-current': to === view ? 'page' : null }, t(key));
  document.getElementById('nav').replaceChildren(...[['', 'devices'], ['products', 'products'], ['log', 'log']].map(link),
    h('a', { href: '/api/docs/' }, 'API'), ...(sessionStorage.getItem('token') ? [button(t('logout'), logout, { testid: 'logout' })] : []));
}

async function show() {
  const own = ++shown;
  const [view, ...rest] = location.hash.slice(2).split('/').map(decodeURIComponent);
  frame(view);
  place.setAttribute('aria-busy', 'true');
  let parts;
  let tell = () => {};
  try {
    [parts, tell] = await (VIEWS[view] ?? devices)(...rest);
  } catch (error) {
    parts = [h('h1', {}, t('failed')), h('section', {}, h('p', { class: 'bad', role: 'alert' }, error.message), button(t('again'), show), ' ', h('a', { href: '#/' }, t('devices')))];
  }
  place.removeAttribute('aria-busy');
  // Another view was asked for meanwhile, or the log-in.
  if (own !== shown) return;
  told = tell;
  place.replaceChildren(...parts);
}

function start() {
  listening.abort();
  listening = new AbortController();
  const live = document.getElementById('live');
  const state = is => {
    live.textContent = t(is ? 'live' : 'broken');
    live.className = is ? 'on' : 'off';
    // What happened while nobody listened is read anew.
    if (is && live.dataset.state === 'off') told('lagged', {});
    live.dataset.state = is ? 'on' : 'off';
  };
  listen((kind, data) => told(kind, data), state, listening.signal);
  show();
}

addEventListener('hashchange', show);
addEventListener('unauthorized', login);
document.getElementById('language').addEventListener('click', () => { switchLanguage(); show(); });
start();
