// What the page shows is its URL: `?panel=measures&subset=256p&rule=motion_vmaf:2:14`.

const SEVERAL = new Set(['rule', 'concept']);
const listeners = new Set();

/** The state as an object: a string for each key, a list for `rule` and, if there is one, `concept`. */
export function state() {
  const found = { rule: [] };
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (SEVERAL.has(name)) (found[name] ??= []).push(value);
    else found[name] = value;
  }
  return found;
}

/** The URL of the present state with changes; null removes a key. */
export function href(changes, base = state()) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...base, ...changes })) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== '') params.append(name, one);
    }
  }
  const text = params.toString().replaceAll('%3A', ':');
  return text ? `?${text}` : location.pathname;
}

/** The URL of another panel: what belongs to the whole page is kept, the rest begins anew. */
export function panelHref(panel, changes = {}) {
  const { subset, rule } = state();
  return href({ panel, ...changes }, { subset, rule });
}

/** Goes to a state as a step that the back button undoes, and has the page drawn again. */
export function go(url) {
  if (url !== location.search) history.pushState(null, '', url);
  for (const listener of listeners) listener();
}

/** Notes changes in the URL without drawing anything again. */
export function note(changes) {
  history.replaceState(null, '', href(changes));
}

/** Calls back whenever the page has to be drawn for another state. */
export function onState(listener) {
  listeners.add(listener);
}

addEventListener('popstate', () => listeners.forEach((listener) => listener()));
