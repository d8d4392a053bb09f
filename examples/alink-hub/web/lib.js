// Elements, requests, what happens live, and the parts that every view is made of.

import { t } from '/web/i18n.js';

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'testid') { if (value) element.dataset.testid = value; }
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter(child => child != null && child !== false));
  return element;
}

/** An element: attributes, `on…` listeners, then children; text is text, and never markup. */
export const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

/** The same of SVG. */
export const s = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

export const table = (heads, rows, testid) => h('table', { testid },
  h('thead', {}, h('tr', {}, heads.map(head => h('th', {}, head)))), h('tbody', {}, rows));
export const row = (...cells) => h('tr', {}, cells.map(cell => h('td', {}, cell ?? '')));
export const json = value => h('code', {}, typeof value === 'string' ? value : JSON.stringify(value));
export const button = (label, onclick, attributes = {}) => h('button', { type: 'button', onclick, ...attributes }, label);
export const nothing = text => h('p', { class: 'muted', 'data-empty': true }, text);

/** A secret that is shown on demand. */
export function secret(label, value, testid) {
  const place = h('code', { testid }, '••••••••');
  return h('span', { class: 'row' }, h('span', {}, `${label}: `, place), button(t('show'), () => { place.textContent = value; }));
}

/** What the hub refused, in the reader's language as far as its kind goes. */
export class Refused extends Error {
  constructor(problem) {
    const kind = t(`problem.${problem.kind}`);
    const code = problem.code == null ? '' : ` [${problem.code}]`;
    const at = problem.pointer ? ` (${problem.pointer})` : '';
    super(`${kind.startsWith('problem.') ? problem.title ?? problem.status : kind}${code}: ${problem.detail}${at}`);
    this.status = problem.status;
    this.kind = problem.kind;
  }
}

const authorization = () => {
  const token = sessionStorage.getItem('token');
  return token ? { authorization: `Bearer ${token}` } : {};
};

export async function request(method, path, body) {
  const headers = authorization();
  const isJson = body !== undefined && !(body instanceof Blob) && typeof body !== 'string';
  if (isJson) headers['content-type'] = 'application/json';
  else if (typeof body === 'string') headers['content-type'] = 'text/plain;charset=utf-8';
  else if (body) headers['content-type'] = 'application/octet-stream';
  let response;
  try {
    response = await fetch(`/api/v1${path}`, { method, headers, body: isJson ? JSON.stringify(body) : body });
  } catch {
    throw new Error(t('unreachable'));
  }
  const kind = response.headers.get('content-type') ?? '';
  if (response.ok && kind.includes('octet-stream')) return response.blob();
  const text = await response.text();
  const isAnswer = kind.includes('json');
  const answer = text && isAnswer ? JSON.parse(text) : null;
  if (response.ok) return answer;
  if (response.status === 401) dispatchEvent(new Event('unauthorized'));
  throw new Refused(answer ?? { status: response.status, title: response.statusText, detail: text });
}

/** Calls `told(kind, data)` for what happens, until `signal` is aborted; `state(isLive)` says whether it listens. */
export async function listen(told, state, signal) {
  while (!signal.aborted) {
    try {
      // Not an EventSource, which cannot send a token but in its URL.
      const response = await fetch('/api/v1/events', { headers: authorization(), signal });
      if (response.status === 401) return state(false);
      if (!response.ok) throw new Error(response.statusText);
      state(true);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const parts = (text + value).split('\n\n');
        text = parts.pop();
        for (const part of parts) {
          const lines = part.split('\n');
          const of = name => lines.filter(line => line.startsWith(`${name}: `)).map(line => line.slice(name.length + 2)).join('\n');
          if (of('event')) told(of('event'), JSON.parse(of('data')));
        }
      }
    } catch {
      if (signal.aborted) return;
    }
    state(false);
    await new Promise(resolve => setTimeout(resolve, 2000));
  }
}

/**
 * A box whose content `load` fetches: it says that it loads, what went wrong, or what there is. `beside` stays when the
 * content is fetched anew, such as forms that somebody fills in.
 */
export function part(title, load, { testid, beside = [] } = {}) {
  const body = h('div', { 'aria-busy': 'true' }, h('p', { class: 'muted' }, t('loading')));
  const node = h('section', { testid }, title && h('h2', {}, title), body, beside);
  let latest = 0;
  const refresh = async () => {
    const own = ++latest;
    let content;
    try {
      content = [await load()].flat(Infinity).filter(child => child != null && child !== false);
    } catch (error) {
      content = [h('p', { class: 'bad', role: 'alert' }, error.message, ' ', button(t('again'), refresh))];
    }
    // Who asked first may be answered last.
    if (own !== latest) return;
    body.replaceChildren(...content);
    body.removeAttribute('aria-busy');
  };
  refresh();
  return { node, refresh };
}

/** Where it is said what came of a command; `run` says so, and returns whether it went well. */
export function outcome(testid) {
  const node = h('p', { class: 'outcome', role: 'status', testid, hidden: true });
  const say = (state, ...content) => {
    node.hidden = false;
    node.dataset.state = state;
    node.replaceChildren(...content);
  };
  const run = async work => {
    say('busy', t('busy'));
    try {
      say('good', await work() ?? t('done'));
      return true;
    } catch (error) {
      say('bad', error.message);
      return false;
    }
  };
  return { node, run };
}

/** Asks before `work`, and stays open with the reason when that fails. */
export function ask(question, label, work) {
  const { node: told, run } = outcome('confirm-outcome');
  const yes = button(label, async () => {
    yes.disabled = true;
    if (await run(work)) dialog.close();
    yes.disabled = false;
  }, { class: 'danger', testid: 'confirm-yes' });
  const dialog = h('dialog', { testid: 'confirm' }, h('p', {}, question), told,
    h('div', { class: 'row end' }, button(t('cancel'), () => dialog.close(), { testid: 'confirm-no' }), yes));
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
