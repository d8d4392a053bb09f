// The server itself: addresses for charge points, and whether it is open.

import { fill, h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { timeNode } from '../lib/format.js';
import { loadServer, may, serverInfo, setOpen } from '../lib/session.js';
import { form } from '../lib/form.js';
import { problemNode } from '../lib/problem.js';
import { actions, card, heading, linkButton, pairs } from '../lib/ui.js';

export async function serverView({ outlet, signal }) {
  const about = h('div', { id: 'server' });
  const show = () => fill(about, pairs(rows(serverInfo())));
  const switches = form({
    testid: 'open-form',
    submit: t('save'),
    fields: [
      { name: 'unknownChargePoints', label: t('server.unknownChargePoints'), type: 'check', value: serverInfo().unknownChargePoints },
      { name: 'unknownIdTags', label: t('server.unknownIdTags'), type: 'check', value: serverInfo().unknownIdTags },
    ],
    async onsubmit(changes, place) {
      await setOpen(changes);
      place.done(t('saved'));
      show();
      const banner = document.getElementById('open-banner');
      if (banner && !changes.unknownChargePoints && !changes.unknownIdTags) banner.remove();
    },
  });
  fill(
    outlet,
    heading(t('view.server')),
    card(null, about, actions(linkButton(t('server.apiDocs'), '/api/docs'), linkButton('OpenAPI', '/api/v1/openapi.json'), linkButton(t('server.metrics'), '/metrics'))),
    may('admin') && card(t('server.open'), h('p', { class: 'muted' }, t('server.openAbout')), switches.node),
  );
  show();
  try {
    await loadServer();
    if (!signal.aborted) show();
  } catch (error) {
    if (!signal.aborted) fill(about, problemNode(error));
  }
}

function rows(server) {
  return [
    [t('server.version'), `${server.name ?? ''} ${server.version ?? ''}`],
    [t('server.urls'), h('span', { class: 'mono break' }, (server.urls?.ocpp ?? []).join(', '))],
    [t('server.connected'), server.connected],
    [t('server.database'), server.database],
    [t('server.authentication'), t(server.authentication ? 'yes' : 'no')],
    [t('server.time'), timeNode(server.time)],
  ];
}
