// Who is logged in, and what the server said of itself.

import * as api from './api.js';

const ROLES = ['viewer', 'operator', 'admin'];

let server = null;

/** The latest answer of GET /server. */
export const serverInfo = () => server;

export async function loadServer() {
  try {
    server = await api.get('/server');
  } catch (error) {
    if (error.status !== 401) throw error;
    // A server that wants a log-in tells nothing of itself before that.
    server = { authentication: true, user: null };
  }
  api.setCsrf(server.csrf);
  return server;
}

export const mustLogIn = () => Boolean(server?.authentication) && !server?.user;

/** Whether the user has at least `role`. Without authentication everybody has all. */
export function may(role) {
  if (!server?.authentication) return true;
  return ROLES.indexOf(server.user?.role) >= ROLES.indexOf(role);
}

export async function logIn(name, password) {
  const user = await api.post('/login', { name, password });
  api.setCsrf(user.csrf);
  return loadServer();
}

export async function logOut() {
  await api.post('/logout');
  return loadServer();
}

export async function setOpen(changes) {
  await api.patch('/server', changes);
  return loadServer();
}
