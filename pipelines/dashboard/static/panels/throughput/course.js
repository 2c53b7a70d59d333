// The course of one run: what its stages have committed, and how fast.

import { svgOf } from '../../core/charts.js';
import { exports } from '../../core/exports.js';
import { count, duration, number } from '../../core/format.js';
import { hint, table } from '../../core/parts.js';
import { go, href } from '../../core/state.js';
import { card, headed } from '../../core/cards.js';
import { chooser } from '../../core/chooser.js';
import { clock } from './clock.js';
import { timeline } from './timeline.js';

const ORDER = [
  'sources',
  'videos',
  'clips',
  'scores',
  'selection',
  'concepts',
  'captions',
  'shards',
  'latents',
];

const COLUMNS = [
  { name: 'stage', of: (row) => row.table },
  { name: 'rows', num: true, of: (row) => count(row.rows) },
  { name: 'withdrawn', num: true, of: (row) => (row.withdrawn ? count(row.withdrawn) : '–') },
  { name: 'began (UTC)', of: (row) => clock(row.began_ms).slice(0, 19) },
  { name: 'wall time', num: true, of: (row) => (row.is_stage ? duration(row.wall_s) : '–') },
  {
    name: 'rows per second',
    num: true,
    of: (row) => (row.is_stage ? number(row.rows_per_s) : 'one commit'),
  },
];

/** The run that is chosen, with a list to choose another from. */
export function courseCard({ runs, chosen: { run, stages } }) {
  const inOrder = stages.toSorted(byOrder);
  const chart = timeline(inOrder.filter((stage) => stage.is_stage));
  return card(
    headed('Rows committed over time', runChooser(runs, run)),
    chart ?? hint('This run has committed no rows of a stage.'),
    table(COLUMNS, inOrder, { 'aria-label': 'Stages of the run' }),
    hint(
      'Wall time is from the first commit of the stage, before its workers start, to its last one. Withdrawn rows were made with other settings, of inputs that have changed, or are tried again. Times are of the clock of the host that ran.',
    ),
    exports({
      name: 'throughput',
      chart: chart && (() => svgOf(chart)),
      rows: () => stages.map(({ line: _line, ...row }) => ({ run, ...row })),
    }),
  );
}

function runChooser(runs, chosen) {
  const name = (run) => `${clock(run.began_ms)} · ${count(run.rows)} rows`;
  return chooser(
    'run',
    runs.map((one) => [one.run, name(one)]),
    chosen,
    (run) => go(href({ run })),
  );
}

const place = (stage) => ORDER.indexOf(stage.table.split('/')[0]);
const byOrder = (one, other) => place(one) - place(other) || one.table.localeCompare(other.table);
