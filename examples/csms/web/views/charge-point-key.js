// The Basic password of a charge point: set here, told once.

import * as api from '../lib/api.js';
import { h, fill } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { form } from '../lib/form.js';
import { openDialog } from '../lib/dialog.js';

/** Sets or generates the key; `now` generates without asking. */
export function keyDialog(id, now = false) {
  openDialog(
    t('key.title'),
    () => {
      const shown = h('div', { testid: 'key-shown' });
      const send = async (body) => {
        const answer = await api.post(api.path('charge-points', id, 'key'), body);
        const key = answer?.key ?? answer?.password;
        fill(shown, h('p', {}, key ? t('key.once') : t('key.set')), key && h('output', { class: 'secret mono' }, key));
      };
      const entry = form({
        testid: 'key-form',
        submit: t('key.submit'),
        fields: [{ name: 'key', label: t('key.own'), hint: t('key.hint'), pattern: '([0-9A-Fa-f]{2}){16,20}', maxlength: 40, wide: true }],
        onsubmit: ({ key }) => send(key ? { key } : { generate: true }),
      });
      if (now) send({ generate: true }).catch((error) => entry.place.failed(error));
      return [h('p', { class: 'muted' }, t('key.about')), entry.node, shown];
    },
    { testid: 'key-dialog' },
  );
}
