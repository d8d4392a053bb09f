// The log-in form, shown while the server demands a user.

import { h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { logIn, serverInfo } from '../lib/session.js';
import { Problem } from '../lib/api.js';
import { form } from '../lib/form.js';
import { languageSelect } from '../shell.js';

export function loginView({ done, language }) {
  const entry = form({
    testid: 'login',
    fields: [
      { name: 'name', label: t('login.name'), required: true, autocomplete: 'username' },
      { name: 'password', label: t('login.password'), type: 'password', required: true, autocomplete: 'current-password' },
    ],
    submit: t('logIn'),
    async onsubmit({ name, password }) {
      try {
        await logIn(name, password);
      } catch (error) {
        if (error.status === 401) throw new Problem({ kind: 'input', detail: t('login.wrong') });
        throw error;
      }
      done();
    },
  });
  return h(
    'main',
    { class: 'login' },
    h('div', { class: 'card' }, h('div', { class: 'login-head' }, h('img', { src: '/web/icon.svg', alt: '', width: '40', height: '40' }), h('h1', {}, serverInfo()?.name || 'onwire')), entry.node),
    languageSelect(language),
  );
}
