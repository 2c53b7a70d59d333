// Which training runs have read the samples, and whether these have changed since.

import { quoted } from '../../core/commands.js';
import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count } from '../../core/format.js';
import { copyable, table } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';
import { card } from '../../core/cards.js';

const COLUMNS = [
  { name: 'run', of: runLink },
  { name: 'read', of: (row) => `${row.table}, version ${row.version}` },
  {
    name: 'encoder',
    of: (row) => (row.encoder_hash ? el('code', {}, row.encoder_hash) : 'as it trained'),
  },
  { name: 'samples', num: true, of: (row) => (row.num_samples ? count(row.num_samples) : '–') },
  { name: 'since', of: since },
];

/** The training runs that the dashboard knows, or how to name some. */
export function readersCard({ readers, subset, workspace }) {
  const title = 'Who has trained on them';
  if (!readers.length) {
    return card(
      title,
      el(
        'p',
        {},
        'No training run that the dashboard knows has read this subset. Name the folders of runs when you start it:',
      ),
      copyable(`moviola dashboard ${quoted(workspace)} --run RUN`),
    );
  }
  return card(
    title,
    table(COLUMNS, readers, { 'aria-label': 'Training runs' }),
    exports({ name: `${subset}-readers`, rows: () => readers }),
  );
}

function runLink({ run, stage, name }) {
  return el('a', { href: panelHref('training', { of: run, stage }) }, `${name} / ${stage}`);
}

function since({ is_here: isHere, workspace, num_changes: num }) {
  if (!isHere) {
    const where = el('code', {}, workspace ?? 'unknown');
    return el('span', { title: workspace }, 'of another workspace: ', where);
  }
  if (num === null) return 'the table is gone';
  if (!num) return el('span', { class: 'good' }, '✓ unchanged');
  return el('b', { class: 'bad' }, `changed by ${count(num)} ${num === 1 ? 'commit' : 'commits'}`);
}
