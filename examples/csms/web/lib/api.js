// The client of /api/v1. Every failure, the network's too, is a Problem.

const BASE = '/api/v1';
// Refusing these is an answer, and no session that has ended.
const ASKS_WHO = ['/server', '/login'];

let csrf = null;
let onUnauthorized = () => {};

/** A failed request: the members of its problem document (RFC 9457), with `kind` naming the failure for programs. */
export class Problem extends Error {
  constructor(members) {
    super(members.detail || members.title || members.kind);
    Object.assign(this, members);
  }
}

/** The token that requests with a session cookie must carry when they change something. */
export function setCsrf(token) {
  csrf = token ?? null;
}

/** Called when a request is refused for want of a log-in. */
export function whenUnauthorized(listener) {
  onUnauthorized = listener;
}

/** A path from raw segments: `path('charge-points', id)`. */
export const path = (...segments) => `/${segments.map(encodeURIComponent).join('/')}`;

/** The address of `where` for links and downloads. */
export const address = (where, query) => BASE + where + queryString(query);

export const get = (where, query, signal) => request('GET', where, { query, signal });
export const post = (where, body, options) => request('POST', where, { ...options, body });
export const put = (where, body, options) => request('PUT', where, { ...options, body });
export const patch = (where, body, options) => request('PATCH', where, { ...options, body });
export const remove = (where, options) => request('DELETE', where, options);

/** A call of the charge point; resolves with its response. */
export function command(chargePoint, action, payload, query = {}) {
  return post(`${path('charge-points', chargePoint, 'commands', action)}`, payload, { query });
}

/** All pages of a list, at most `most` items. */
export async function all(where, query, signal, most = 5000) {
  const items = [];
  let cursor;
  do {
    const page = await get(where, { ...query, limit: 500, cursor }, signal);
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor && items.length < most);
  return items;
}

async function request(method, where, { query, body, signal, type } = {}) {
  const headers = { accept: 'application/json' };
  if (csrf && method !== 'GET') headers['x-csrf-token'] = csrf;
  let payload;
  if (body instanceof Blob || typeof body === 'string') {
    payload = body;
    headers['content-type'] = type ?? 'application/octet-stream';
  } else if (body !== undefined) {
    payload = JSON.stringify(body);
    headers['content-type'] = 'application/json';
  }
  let response;
  try {
    response = await fetch(address(where, query), { method, headers, body: payload, signal, credentials: 'same-origin' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem({ kind: 'network', status: 0, title: 'network', detail: error.message });
  }
  if (response.ok) return response.status === 204 ? null : content(response);
  const problem = await failure(response);
  if (problem.status === 401 && !ASKS_WHO.includes(where)) onUnauthorized();
  throw problem;
}

async function content(response) {
  const text = await response.text();
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function failure(response) {
  const members = await content(response).catch(() => null);
  const known = members !== null && typeof members === 'object' ? members : { detail: members || '' };
  return new Problem({ title: response.statusText, kind: KINDS[response.status] ?? 'failed', ...known, status: response.status });
}

const KINDS = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'notFound',
  409: 'conflict',
  429: 'rateLimited',
  504: 'timeout',
};

function queryString(query = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== '' && value !== false) parameters.set(name, value);
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
