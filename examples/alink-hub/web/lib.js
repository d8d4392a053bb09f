// Elements, requests, and what happens live.

/** An element: attributes, `on…` listeners, then children; text is text, and never markup. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter(child => child != null));
  return element;
}

export const table = (heads, rows) => h('table', {},
  h('thead', {}, h('tr', {}, heads.map(head => h('th', {}, head)))), h('tbody', {}, rows));
export const row = (...cells) => h('tr', {}, cells.map(cell => h('td', {}, cell ?? '')));
export const json = value => h('code', {}, typeof value === 'string' ? value : JSON.stringify(value));

export function toast(text) {
  const place = document.getElementById('toast');
  place.textContent = text;
  place.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { place.hidden = true; }, 6000);
}

export class Refused extends Error {
  constructor(problem) {
    super(problem.detail + (problem.pointer ? ` (${problem.pointer})` : ''));
    this.status = problem.status;
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
  const response = await fetch(`/api/v1${path}`, { method, headers, body: isJson ? JSON.stringify(body) : body });
  const text = await response.text();
  const answer = text ? JSON.parse(text) : null;
  if (!response.ok) throw new Refused(answer ?? { status: response.status, detail: response.statusText });
  return answer;
}

/** Calls `told(kind, data)` for what happens, until `signal` is aborted; `state(isLive)` says whether it listens. */
export async function listen(told, state, signal) {
  while (!signal.aborted) {
    try {
      // Not an EventSource, which cannot send a token.
      const response = await fetch('/api/v1/events', { headers: authorization(), signal });
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
