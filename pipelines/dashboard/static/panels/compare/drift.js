// How the measures of the kept clips moved between two decisions.

import { ask } from '../../core/api.js';
import { el, replace, svg } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count, number, words } from '../../core/format.js';
import { hint, table } from '../../core/parts.js';

const FIRST = 8;
const [WIDE, HIGH] = [180, 34];

const COLUMNS = [
  { name: 'measure', of: (one) => words(one.measure) },
  {
    name: 'distance',
    num: true,
    of: ({ distance }) => (distance === null ? '–' : distance.toFixed(3)),
  },
  { name: 'kept in A and in B', of: histograms },
  { name: 'median A', num: true, of: (one) => number(one.a.quantiles?.[2]) },
  { name: 'median B', num: true, of: (one) => number(one.b.quantiles?.[2]) },
  { name: '5–95 % A', num: true, of: (one) => range(one.a.quantiles) },
  { name: '5–95 % B', num: true, of: (one) => range(one.b.quantiles) },
  { name: 'clips', num: true, of: (one) => `${count(one.a.num)} / ${count(one.b.num)}` },
];

/** Asks how far each measure moved. */
export const askDrift = (named, signal) => ask('comparison/drift', named, signal);

/** What stands under the title: a row for each measure, the one that moved furthest first. */
export function driftContents({ measures, quantiles }) {
  return [
    hint(
      'Distance is Kolmogorov’s: the greatest difference between the shares of clips below any one value, 0 if both are alike, 1 if they do not overlap.',
    ),
    el(
      'p',
      { class: 'legend' },
      el('span', { class: 'side-a' }, 'A'),
      el('span', { class: 'side-b' }, 'B'),
    ),
    measures.length ? firstOnes(measures) : el('p', {}, 'No clip has a measure.'),
    exports({ name: 'drift', rows: () => measures.map((one) => savedRow(one, quantiles)) }),
  ];
}

/** The first measures, and a button that shows all of them. */
function firstOnes(measures) {
  const list = el('div', {});
  const show = (rows) =>
    replace(list, table(COLUMNS, rows, { 'aria-label': 'how measures moved' }));
  show(measures.slice(0, FIRST));
  if (measures.length <= FIRST) return list;
  const showAll = () => {
    show(measures);
    more.remove();
  };
  const more = el(
    'button',
    { type: 'button', onclick: showAll },
    `all ${measures.length} measures`,
  );
  return [list, more];
}

const range = (marks) => (marks ? `${number(marks[0])} – ${number(marks[4])}` : '–');

function savedRow({ measure, distance, a, b }, quantiles) {
  const row = {
    measure,
    distance,
    a_num: a.num,
    b_num: b.num,
    a_missing: a.missing,
    b_missing: b.missing,
  };
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
  const axis = `${number(edges[0])} to ${number(edges.at(-1))}`;
  return svg(
    'svg',
    {
      viewBox: `0 0 ${WIDE} ${HIGH}`,
      width: WIDE,
      height: HIGH,
      class: 'overlay',
      role: 'img',
      'aria-label': `${words(measure)} from ${axis}`,
    },
    svg('path', { class: 'side-a', d: `${outline(shares[0], most)}V${HIGH}H0Z` }),
    svg('path', { class: 'side-b', d: outline(shares[1], most) }),
    svg('title', {}, axis),
  );
}

function outline(shares, most) {
  const step = WIDE / shares.length;
  const top = (share) => HIGH - (HIGH - 2) * (share / most);
  return shares
    .map((share, place) => {
      const to = place ? 'L' : 'M';
      return `${to}${place * step},${top(share)}H${(place + 1) * step}`;
    })
    .join('');
}
