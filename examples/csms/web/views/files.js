// All files: firmware to hand out, diagnostics and logs that came in.

import * as api from '../lib/api.js';
import * as live from '../lib/live.js';
import { coalesce, fill } from '../lib/dom.js';
import { t, word } from '../lib/i18n.js';
import { may } from '../lib/session.js';
import { form } from '../lib/form.js';
import { filterBar } from '../lib/table.js';
import { card, heading } from '../lib/ui.js';
import { fileTable } from './file-table.js';

export function filesView({ outlet, signal }) {
  const filters = filterBar([{ name: 'kind', label: t('kind'), type: 'select', options: [['', t('any')], ...['firmware', 'diagnostics', 'log'].map((kind) => [kind, word(kind)])] }], () => list.reload());
  const list = fileTable({ query: () => filters.values(), signal });
  const reload = coalesce(() => list.reload(), 500, signal);
  for (const kind of ['diagnosticsStatus', 'logStatus', 'refresh']) live.on(kind, reload, signal);
  const upload = form({
    testid: 'upload',
    submit: t('files.upload'),
    fields: [
      { name: 'file', label: t('files.file'), type: 'file', required: true },
      { name: 'name', label: t('name'), hint: t('files.nameHint') },
    ],
    async onsubmit({ file, name }, place) {
      place.pending(t('files.upload'));
      await api.put(api.path('files', 'firmware', name ?? file.name), file);
      place.done(t('files.uploaded', { name: name ?? file.name }));
      list.reload();
    },
  });
  list.reload();
  fill(outlet, heading(t('view.files')), may('operator') && card(t('files.uploadTitle'), upload.node), filters.node, list.node);
}
