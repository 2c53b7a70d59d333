// How the measures of the kept clips moved between two decisions.

import { ask } from '../core/api.js';
import { el, replace, svg } from '../core/dom.js';
import { count, number, words } from '../core/format.js';
import { errorBox, exports, table } from '../core/parts.js';

const FIRST = 8;
const [WIDE, HIGH] = [180, 34];

/** Draws a row for each measure, the one that moved furthest first, with both histograms. */
export async function drift(section, named, signal) {
  let found;
  try {
    found = await ask('comparison/drift', named, signal);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    replace(section, el('h2', {}, 'Measures of the kept clips'), errorBox(error));
    return;
  }
  const list = el('div', {});
  const show = (rows) => replace(list, table([
    { name: 'measure', of: (one) => words(one.measure) },
    { name: 'distance', num: true, of: (one) => (one.distance === null ? '–' : one.distance.toFixed(3)) },
    { name: 'kept in A and in B', of: histograms },
    { name: 'median A', num: true, of: (one) => number(one.a.quantiles?.[2]) },
    { name: 'median B', num: true, of: (one) => number(one.b.quantiles?.[2]) },
    { name: '5–95 % A', num: true, of: (one) => range(one.a.quantiles) },
    { name: '5–95 % B', num: true, of: (one) => range(one.b.quantiles) },
    { name: 'clips', num: true, of: (one) => `${count(one.a.num)} / ${count(one.b.num)}` },
  ], rows, { 'aria-label': 'how measures moved' }));
  const all = found.measures;
  const more = all.length > FIRST && el('button', { type: 'button', onclick: () => { show(all); more.remove(); } }, `all ${all.length} measures`);
  show(all.slice(0, FIRST));
  replace(section, el('h2', {}, 'Measures of the kept clips'),
    el('p', { class: 'hint' }, 'Distance is Kolmogorov’s: the greatest difference between the shares of clips below any one value, 0 if both are alike, 1 if they do not overlap.'),
    el('p', { class: 'legend' }, el('span', { class: 'side-a' }, 'A'), el('span', { class: 'side-b' }, 'B')),
    all.length ? list : el('p', {}, 'No clip has a measure.'), more,
    exports({ name: 'drift', rows: () => all.map((one) => flat(one, found.quantiles)) }));
}

const range = (marks) => (marks ? `${number(marks[0])} – ${number(marks[4])}` : '–');

function flat({ measure, distance, a, b }, quantiles) {
  const row = { measure, distance, a_num: a.num, b_num: b.num, a_missing: a.missing, b_missing: b.missing };
  quantiles.forEach((share, place) => {
    row[`a_q${Math.round(100 * share)}`] = a.quantiles?.[place];
    row[`b_q${Math.round(100 * share)}`] = b.quantiles?.[place];
  });
  return row;
}

/** Shares of both sides over one axis: A filled, B as a line, so that they differ without colour. */
function histograms({ edges, a, b, measure }) {
  const shares = [a, b].map((side) => side.bins.map((num) => num / Math.max(1, side.num)));
  const most = Math.max(...shares[0], ...shares[1], 1e-9);
  const step = WIDE / a.bins.length;
  const top = (share) => HIGH - (HIGH - 2) * (share / most);
  const outline = (side) => side.map((share, place) => `${place ? 'L' : 'M'}${place * step},${top(share)}H${(place + 1) * step}`).join('');
  return svg('svg', { viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH, class: 'overlay', role: 'img', 'aria-label': `${words(measure)} from ${number(edges[0])} to ${number(edges.at(-1))}` },
    svg('path', { class: 'side-a', d: `${outline(shares[0])}V${HIGH}H0Z` }),
    svg('path', { class: 'side-b', d: outline(shares[1]) }),
    svg('title', {}, `${number(edges[0])} to ${number(edges.at(-1))}`));
}
