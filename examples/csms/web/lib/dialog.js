// Dialogs on the browser's own <dialog>: focus is kept inside and Escape closes.

import { h } from './dom.js';
import { t } from './i18n.js';
import { actions, button } from './ui.js';
import { outcome } from './outcome.js';

/** Opens a dialog and returns what closes it. `content` may be a function of that. */
export function openDialog(title, content, { testid, onclose } = {}) {
  const close = () => node.close();
  const node = h(
    'dialog',
    { class: 'dialog', testid, 'aria-labelledby': 'dialog-title' },
    h('div', { class: 'dialog-head' }, h('h2', { id: 'dialog-title' }, title), button('×', close, { kind: 'quiet', 'aria-label': t('close') })),
    h('div', { class: 'dialog-body' }, typeof content === 'function' ? content(close) : content),
  );
  node.addEventListener('close', () => {
    node.remove();
    onclose?.();
  });
  document.body.append(node);
  node.showModal();
  return close;
}

/** Asks before `work`, and stays open with the reason when that fails. */
export function confirmDialog(question, label, work, { kind = 'danger' } = {}) {
  openDialog(
    t('confirm'),
    (close) => {
      const place = outcome('confirm-outcome');
      const yes = button(
        label,
        async () => {
          yes.disabled = true;
          try {
            await work();
            close();
          } catch (error) {
            place.failed(error);
            yes.disabled = false;
          }
        },
        { kind, testid: 'confirm-yes' },
      );
      return [h('p', {}, question), place.node, actions(button(t('cancel'), close), yes)];
    },
    { testid: 'confirm' },
  );
}
