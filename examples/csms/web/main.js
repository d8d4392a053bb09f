// The page's start: ask the server what it is, log in if it wants that, then show the view of the address.

import * as api from './lib/api.js';
import * as live from './lib/live.js';
import * as router from './lib/router.js';
import { h, fill } from './lib/dom.js';
import { language, setLanguage, t } from './lib/i18n.js';
import { problemNode } from './lib/problem.js';
import { loadServer, mustLogIn } from './lib/session.js';
import { button } from './lib/ui.js';
import { shell } from './shell.js';
import { loginView } from './views/login.js';
import { ROUTES } from './routes.js';

const app = document.getElementById('app');
let frame = null;

/** Draws everything anew: at the start, after a log-in or log-out, in another language. */
function draw() {
  router.close();
  if (mustLogIn()) {
    live.stop();
    frame = null;
    fill(app, loginView({ done: draw, language: changeLanguage }));
    app.querySelector('input')?.focus();
    return;
  }
  frame = shell({ language: changeLanguage, redraw: draw });
  fill(app, frame.node);
  live.start();
  showView(false);
}

function changeLanguage(code) {
  setLanguage(code);
  draw();
}

function showView(focus = true) {
  if (!frame) return;
  const { segments } = router.here();
  live.listenTo(segments[0] === 'charge-points' && segments[1] ? segments[1] : null);
  frame.located(segments[0] ?? 'charge-points');
  fill(frame.outlet);
  router.show(frame.outlet, () => router.go('charge-points'));
  window.scrollTo(0, 0);
  if (focus) frame.outlet.querySelector('h1')?.focus({ preventScroll: true });
}

async function start() {
  setLanguage(language());
  router.setRoutes(ROUTES);
  fill(app, h('p', { class: 'loading', role: 'status' }, t('loading')));
  try {
    await loadServer();
  } catch (error) {
    fill(app, h('div', { class: 'lonely card' }, problemNode(error), button(t('retry'), start, { kind: 'primary' })));
    return;
  }
  draw();
}

window.addEventListener('hashchange', () => showView());
// A session may end while the page is open; the log-in form comes back by itself.
async function askAgain() {
  if (!frame) return;
  await loadServer().catch(() => null);
  if (frame && mustLogIn()) draw();
}
api.whenUnauthorized(askAgain);
live.on('refused', askAgain);
start();
