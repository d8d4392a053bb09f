// What surrounds every view: the menu, the bar at the top, and the notice that the server is open.

import * as live from './lib/live.js';
import { link } from './lib/router.js';
import { fill, h } from './lib/dom.js';
import { icon } from './lib/icons.js';
import { language, LANGUAGES, t } from './lib/i18n.js';
import { logOut, may, serverInfo, setOpen } from './lib/session.js';
import { confirmDialog } from './lib/dialog.js';
import { problemTitle } from './lib/problem.js';
import { button, toast } from './lib/ui.js';
import { MENU } from './routes.js';

/** Builds the frame; `located(view)` marks the menu's entry, `outlet` takes the view. */
export function shell({ language: change, redraw }) {
  const server = serverInfo();
  const outlet = h('main', { id: 'view', tabindex: '-1' });
  const links = new Map();
  const menu = h(
    'nav',
    { id: 'menu', 'aria-label': t('menu') },
    h('a', { class: 'brand', href: link('charge-points') }, h('img', { src: '/web/icon.svg', alt: '', width: '28', height: '28' }), h('span', {}, server.name || 'onwire')),
    MENU.map(([group, entries]) => {
      const shown = entries.filter(([, role]) => !role || may(role));
      return h(
        'div',
        { class: 'menu-group' },
        h('p', { class: 'menu-title' }, t(`menu.${group}`)),
        h('ul', {}, shown.map(([view]) => {
          const anchor = h('a', { href: link(view), testid: `menu-${view}`, onclick: () => opened(false) }, icon(view), t(`view.${view}`));
          links.set(view, anchor);
          return h('li', {}, anchor);
        })),
      );
    }),
    h('p', { class: 'menu-foot' }, `${server.name || 'onwire'} ${server.version ?? ''}`),
  );
  const toggle = h('button', { type: 'button', class: 'button quiet menu-toggle', testid: 'menu-toggle', 'aria-controls': 'menu', 'aria-expanded': 'false', 'aria-label': t('menu'), onclick: () => opened(!node.classList.contains('menu-open')) }, icon('menu'));
  const opened = (open) => {
    node.classList.toggle('menu-open', open);
    toggle.setAttribute('aria-expanded', String(open));
    if (open) menu.querySelector('a').focus();
  };
  const node = h(
    'div',
    { class: 'frame', onkeydown: (event) => event.key === 'Escape' && node.classList.contains('menu-open') && (opened(false), toggle.focus()) },
    h('a', { class: 'skip', href: '#view', onclick: (event) => (event.preventDefault(), outlet.focus()) }, t('skip')),
    menu,
    h('div', { class: 'scrim', onclick: () => opened(false) }),
    h('div', { class: 'page' }, h('div', { class: 'bar' }, toggle, h('span', { class: 'bar-space' }), liveMark(), languageSelect(change), account(redraw)), openBanner(redraw), outlet),
  );
  return {
    node,
    outlet,
    located(view) {
      for (const [name, anchor] of links) {
        if (name === view) anchor.setAttribute('aria-current', 'page');
        else anchor.removeAttribute('aria-current');
      }
      document.title = `${t(links.has(view) ? `view.${view}` : 'view.charge-points')} · ${server.name || 'onwire'}`;
    },
  };
}

/** The choice of the language, also of the log-in form. */
export function languageSelect(change) {
  return h(
    'select',
    { id: 'language', 'aria-label': t('language'), onchange: (event) => change(event.target.value) },
    LANGUAGES.map(([code, name]) => h('option', { value: code, selected: code === language() }, name)),
  );
}

let stateSignal = null;

function liveMark() {
  stateSignal?.abort();
  stateSignal = new AbortController();
  const node = h('span', { class: 'live', id: 'live', role: 'status' });
  const show = (state) => {
    node.dataset.state = state;
    fill(node, t(state === 'on' ? 'live.on' : 'live.waiting'));
  };
  show(live.liveState());
  live.on('state', show, stateSignal.signal);
  return node;
}

function account(redraw) {
  const { user } = serverInfo();
  if (!user) return null;
  const leave = async () => {
    try {
      await logOut();
      redraw();
    } catch (error) {
      toast(problemTitle(error), 'bad');
    }
  };
  return h('span', { class: 'account' }, h('span', { testid: 'user' }, `${user.name} · ${t(`role.${user.role}`)}`), button(t('logOut'), leave, { kind: 'quiet', testid: 'log-out' }));
}

function openBanner(redraw) {
  const { unknownChargePoints, unknownIdTags } = serverInfo();
  if (!unknownChargePoints && !unknownIdTags) return null;
  const what = unknownChargePoints && unknownIdTags ? 'both' : unknownChargePoints ? 'chargePoints' : 'idTags';
  const close = () =>
    confirmDialog(t('open.question'), t('open.close'), async () => {
      await setOpen({ open: false });
      redraw();
      toast(t('open.closed'));
    }, { kind: 'primary' });
  return h('aside', { class: 'banner', id: 'open-banner' }, h('p', {}, h('strong', {}, t('open.title')), ' ', t(`open.${what}`)), may('admin') && button(t('open.close'), close, { testid: 'close-server' }));
}
