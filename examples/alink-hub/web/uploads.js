// What a device has uploaded, and whether it is to upload its log.

import { ask, button, h, nothing, outcome, part, request, row, table } from '/web/lib.js';
import { t, when } from '/web/i18n.js';

export function uploads(base) {
  const told = outcome('uploads-outcome');
  const address = name => `${base}/files/${encodeURIComponent(name)}`;
  // Not a plain link, which cannot send a token.
  const download = name => told.run(async () => {
    const link = h('a', { href: URL.createObjectURL(await request('GET', address(name))), download: name });
    link.click();
    URL.revokeObjectURL(link.href);
  });
  const remove = name => ask(`${t('sureFile')} (${name})`, t('remove'), async () => {
    await request('DELETE', address(name));
    await list.refresh();
  });
  const log = h('input', { type: 'checkbox', name: 'log', onchange: () => told.run(() => request('PUT', `${base}/log-settings`, { upload: log.checked }).then(() => null)) });
  const list = part(t('uploads'), async () => {
    const [all, settings] = await Promise.all([request('GET', `${base}/files`), request('GET', `${base}/log-settings`)]);
    log.checked = settings.upload;
    if (!all.length) return nothing(t('empty'));
    return table([t('name'), t('size'), t('time'), ''], all.map(it => row(it.name, it.complete ? it.size : `${it.received} / ${it.size ?? '?'}`, when(it.changedAt),
      h('span', { class: 'row' }, it.complete && button(t('download'), () => download(it.name), { testid: `download-${it.name}` }), button(t('remove'), () => remove(it.name))))));
  }, { testid: 'uploads', beside: [h('label', { class: 'check' }, log, t('uploadsLog')), told.node] });
  return { node: list.node, refresh: list.refresh };
}
