// The runs of late.

import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count, duration } from '../../core/format.js';
import { copyable, hint, table } from '../../core/parts.js';
import { href } from '../../core/state.js';
import { card } from '../../core/cards.js';
import { clock } from './clock.js';

const STATE_CLASSES = { died: 'bad', 'at work': 'good' };

const COLUMNS = [
  {
    name: 'began (UTC)',
    of: (row) => el('a', { href: href({ run: row.run }) }, clock(row.began_ms)),
  },
  {
    name: 'state',
    of: (row) => el('span', { class: STATE_CLASSES[row.state] ?? '' }, row.state),
  },
  { name: 'wall time', num: true, of: (row) => duration((row.ended_ms - row.began_ms) / 1000) },
  { name: 'rows', num: true, of: (row) => count(row.rows) },
  { name: 'withdrawn', num: true, of: (row) => (row.withdrawn ? count(row.withdrawn) : '–') },
  { name: 'recipe', of: (row) => el('code', {}, row.recipe) },
  { name: 'code', of: (row) => row.code },
  { name: 'host', of: (row) => row.host },
  { name: 'command', of: (row) => el('code', { class: 'command' }, row.command) },
];

/** The runs, the newest first, with the command of the chosen one. */
export function runsCard({ runs, num_runs: num, chosen }) {
  return card(
    'Recent runs',
    table(COLUMNS, runs, { 'aria-label': 'Recent runs' }),
    num > runs.length && hint(`The last ${runs.length} of ${count(num)}.`),
    chosen.run && command(runs.find((run) => run.run === chosen.run)),
    exports({ name: 'runs', rows: () => runs }),
  );
}

function command(run) {
  return el(
    'details',
    {},
    el('summary', {}, 'The command of the chosen run'),
    copyable(run?.command ?? ''),
  );
}
