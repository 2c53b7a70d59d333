// What charts share: how they are set, how wide they may be, and which part of one is saved.

/** The style of a chart that stands in a page. */
const CHART_STYLE = { background: 'none', fontSize: '12px', fontFamily: 'inherit' };

/**
 * A chart by Plot. It is one picture to a screen reader, told by `ariaLabel`; the names of Plot's
 * marks, such as "rect", are taken out of it.
 */
export function chart(options) {
  const found = chartOfLinks(options);
  const drawing = svgOf(found);
  if (drawing.hasAttribute('aria-label')) drawing.setAttribute('role', 'img');
  else drawing.setAttribute('aria-hidden', 'true');
  return found;
}

/** A chart whose parts may be gone to one by one. */
export function chartOfLinks(options) {
  const found = globalThis.Plot.plot({ style: CHART_STYLE, ...options });
  for (const mark of found.querySelectorAll('g[aria-label]')) mark.removeAttribute('aria-label');
  return found;
}

/** The width of a chart in px: a share of the panel, from `least` to `most`. */
export function chartWidth(most, { share = 1, least = 270 } = {}) {
  const panel = document.getElementById('panel')?.clientWidth ?? 900;
  return Math.max(least, Math.min(most, (panel - 90) * share));
}

/** The width of a chart that stands beside another where the window has room for both. */
export const columnWidth = () => chartWidth(520, { share: innerWidth > 1100 ? 0.5 : 1 });

/** The drawing of a chart, without its legend. */
export const svgOf = (found) =>
  found.matches('svg') ? found : [...found.querySelectorAll('svg')].at(-1);
