// Files for updates, and the updates of a device.

import { ask, button, h, nothing, outcome, part, request, row, table } from '/web/lib.js';
import { t, when } from '/web/i18n.js';

/** How far it is, in words. */
function progress({ state, step, description }) {
  const how = step == null ? '' : step < 0 ? t(`step.${step}`) : `${step} %`;
  return [how, description].filter(Boolean).join(' · ') || (state === 'waiting' ? t('waits') : '');
}

export function updates(base, product) {
  const files = `/products/${encodeURIComponent(product)}/firmware`;
  const told = outcome('update-outcome');
  const protocol = h('select', { name: 'protocol' }, ['http', 'mqtt'].map(value => h('option', { value }, t(`protocol.${value}`))));
  const push = ({ id, version }) => told.run(async () => {
    const { state } = await request('POST', `${base}/updates`, { firmwareId: id, protocol: protocol.value });
    await begun.refresh();
    return `${version}: ${t(`state.${state}`)}`;
  });
  const remove = ({ id, version }) => ask(`${t('sureFile')} (${version})`, t('remove'), async () => {
    await request('DELETE', `/firmware/${encodeURIComponent(id)}`);
    await kept.refresh();
  });

  const file = h('input', { type: 'file', name: 'file', required: true });
  const version = h('input', { name: 'version', required: true, size: 8, placeholder: '1.0.1', pattern: '[A-Za-z0-9_\\-][A-Za-z0-9_.\\-]*', maxlength: 64 });
  const module = h('input', { name: 'module', size: 8, placeholder: 'default', pattern: '[A-Za-z0-9_\\-][A-Za-z0-9_.\\-]*', maxlength: 64 });
  const uploaded = outcome('upload-outcome');
  const submit = h('button', { class: 'first', testid: 'upload-submit' }, t('upload'));
  const upload = async event => {
    event.preventDefault();
    submit.disabled = true;
    await uploaded.run(async () => {
      const name = file.files[0].name.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^\.+/, '').slice(-64) || 'firmware.bin';
      const query = new URLSearchParams({ version: version.value, fileName: name });
      if (module.value) query.set('module', module.value);
      const { size, sha256 } = await request('POST', `${files}?${query}`, file.files[0]);
      await kept.refresh();
      return `${t('done')}: ${size} B · SHA-256 ${sha256.slice(0, 16)}…`;
    });
    submit.disabled = false;
  };
  const form = h('form', { onsubmit: upload, testid: 'upload' }, h('div', { class: 'row' },
    h('label', {}, t('file'), file), h('label', {}, t('version'), version), h('label', {}, t('module'), module), submit), uploaded.node);

  let known = new Map();
  const kept = part(t('files'), async () => {
    const all = await request('GET', files);
    known = new Map(all.map(each => [each.id, each.version]));
    if (!all.length) return nothing(t('noFiles'));
    return table([t('version'), t('module'), t('name'), t('size'), ''], all.map(each => row(each.version, each.module, each.fileName, each.size,
      h('span', { class: 'row' }, button(t('push'), () => push(each), { testid: `push-${each.version}` }), button(t('remove'), () => remove(each))))));
  }, { testid: 'files', beside: [h('div', { class: 'row', testid: 'push' }, h('label', {}, t('protocol'), protocol)), told.node, form] });
  const begun = part(t('updates'), async () => {
    const all = await request('GET', `${base}/updates`);
    if (!all.length) return nothing(t('empty'));
    return table([t('version'), t('module'), t('state'), t('step'), t('time')], all.map(update => row(
      known.get(update.firmwareId) ?? t('deleted'), update.module, h('span', { class: update.state, 'data-state': update.state }, t(`state.${update.state}`)),
      progress(update), when(update.changedAt))));
  }, { testid: 'updates' });
  return { nodes: [begun.node, kept.node], refresh: begun.refresh };
}
