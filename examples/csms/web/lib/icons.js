// Line icons, drawn here so that nothing is fetched.

import { s } from './dom.js';

const PATHS = {
  'charge-points': 'M5 21V5a2 2 0 0 1 2-2h6a2 2 0 0 1 2 2v16M3 21h14M15 11h2a2 2 0 0 1 2 2v3a1.5 1.5 0 0 0 3 0V9l-3-3M11 7l-3 5h4l-2 4',
  transactions: 'M3 17l5-6 4 4 8-9M14 6h6v6',
  messages: 'M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01',
  'id-tags': 'M3 6h18v12H3zM7 10h4M7 14h7M17 10h.01',
  'charging-profiles': 'M3 20h18M5 20v-6h4v-6h5v4h5v8',
  reservations: 'M4 6h16v14H4zM4 10h16M8 3v4M16 3v4M9 15l2 2 4-4',
  'local-lists': 'M6 3h9l4 4v14H6zM14 3v5h5M9 12h7M9 16h5',
  files: 'M3 7V5h6l2 2h10v12H3z',
  'security-events': 'M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM12 9v4M12 16h.01',
  audit: 'M9 4h6v3H9zM7 5H5v16h14V5h-2M9 12h6M9 16h4',
  users: 'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-4 3-6 7-6s7 2 7 6M17 11a3 3 0 1 0-1-5.8M18 15c2.5.5 4 2.5 4 6',
  server: 'M3 4h18v7H3zM3 13h18v7H3zM7 7.5h.01M7 16.5h.01',
  menu: 'M4 6h16M4 12h16M4 18h16',
};

export function icon(name) {
  return s('svg', { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true' }, s('path', { d: PATHS[name] }));
}
