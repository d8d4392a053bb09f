// What the browser keeps for the user between visits. A browser that keeps nothing is no reason to fail.

const PREFIX = 'onwire.';

export function remember(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // Private windows and full disks.
  }
}

export function remembered(name) {
  try {
    return localStorage.getItem(PREFIX + name) ?? '';
  } catch {
    return '';
  }
}
