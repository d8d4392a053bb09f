// Views by the address's fragment: `#/charge-points/CP-1/configuration?q=x`.

let routes = [];
let leave = null;

/** `routes` are `[pattern, view]`; a segment of a pattern that begins with `:` is a parameter, `?` after it optional. */
export function setRoutes(table) {
  routes = table.map(([pattern, view]) => ({ segments: pattern.split('/').filter(Boolean), view }));
}

/** The link to a view. */
export function link(...segments) {
  return `#/${segments.map(encodeURIComponent).join('/')}`;
}

export function go(...segments) {
  location.hash = link(...segments);
}

/** The segments of the address as they are now. */
export function here() {
  const [fragment, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const segments = fragment.split('/').filter(Boolean).map(decode);
  return { segments, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** Shows the address's view in `outlet`; the view's signal aborts when it is left. */
export function show(outlet, fallback) {
  leave?.abort();
  leave = new AbortController();
  const { segments, query } = here();
  for (const route of routes) {
    const params = match(route.segments, segments);
    if (params) return route.view({ outlet, params, query, signal: leave.signal });
  }
  return fallback();
}

export function close() {
  leave?.abort();
  leave = null;
}

function match(pattern, segments) {
  if (segments.length > pattern.length) return null;
  const params = {};
  for (const [index, part] of pattern.entries()) {
    const given = segments[index];
    if (part.startsWith(':')) {
      if (given === undefined && !part.endsWith('?')) return null;
      params[part.slice(1).replace('?', '')] = given;
    } else if (part !== given) {
      return null;
    }
  }
  return params;
}

function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
