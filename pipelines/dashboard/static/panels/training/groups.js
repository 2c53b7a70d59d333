// Which buckets, concepts and sources have a loss far above their floor.

import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count, number } from '../../core/format.js';
import { hint, table } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';

const MOST_ROWS = 30;
const KINDS = [
  ['by_bucket', 'bucket'],
  ['by_concept', 'concept'],
  ['by_source', 'source'],
];
const examplesOf = (concept) => panelHref('examples', { concept, verdict: 'kept' });

/**
 * Tables of an evaluation's loss by what it was told for.
 * Concepts are links where the data are of the workspace that is shown.
 */
export function groupTables(evaluation, isHere) {
  return KINDS.filter(([field]) => Object.keys(evaluation[field] ?? {}).length).map(
    ([field, name]) =>
      groupTable(field, name, evaluation[field], isHere && name === 'concept' ? examplesOf : null),
  );
}

function groupTable(field, name, losses, link) {
  const rows = Object.entries(losses)
    .map(([key, loss]) => ({ name: key, ...loss }))
    .toSorted((a, b) => b.excess_gaussian - a.excess_gaussian);
  return el(
    'div',
    {},
    el('h3', {}, `by ${name}, the worst above its floor first`),
    table(columns(name, link), rows.slice(0, MOST_ROWS), { 'aria-label': `Loss by ${name}` }),
    rows.length > MOST_ROWS &&
      hint(`The first ${MOST_ROWS} of ${count(rows.length)}; the CSV has all.`),
    exports({ name: `loss-${field}`, rows: () => rows.map(csvRow) }),
  );
}

const columns = (name, link) => [
  {
    name,
    of: (row) =>
      link && row.name !== 'none' ? el('a', { href: link(row.name) }, row.name) : row.name,
  },
  { name: 'loss', num: true, of: (row) => number(row.loss) },
  { name: '95 % interval', num: true, of: ({ interval }) => fromTo(interval) },
  { name: 'above the floor', num: true, of: (row) => number(row.excess_gaussian) },
  { name: 'samples', num: true, of: (row) => count(row.num_samples) },
];

const fromTo = (interval) => (interval ? `${number(interval[0])} – ${number(interval[1])}` : '–');

const csvRow = ({ interval, ...row }) => ({ ...row, low: interval?.[0], high: interval?.[1] });
