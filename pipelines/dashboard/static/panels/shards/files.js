// The files of the samples, and how far their content is known to be whole.

import { quoted } from '../../core/commands.js';
import { el, replace } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { bytes, count, hours } from '../../core/format.js';
import { copyable, hint, table } from '../../core/parts.js';
import { card } from '../../core/cards.js';

const SHOWN = 40;
const COLUMNS = [
  { name: 'file', of: (row) => el('code', {}, row.file) },
  { name: 'rows', num: true, of: (row) => count(row.rows) },
  { name: 'samples', num: true, of: (row) => count(row.samples) },
  { name: 'video', num: true, of: (row) => hours(row.hours) },
  { name: 'size', num: true, of: (row) => bytes(row.size_bytes) },
  { name: 'buckets', of: (row) => row.buckets.join(', ') },
];

/** The files, of which the first are shown until all are asked for. */
export function filesCard({ subset, table: name, folder, files, num_files: num }) {
  return card(
    `Files of ${name}`,
    hint(folder),
    fileTable(files),
    num > files.length && hint(`The first ${count(files.length)} of ${count(num)}.`),
    exports({
      name: `${subset}-files`,
      rows: () => files.map((row) => ({ ...row, buckets: row.buckets.join(' ') })),
    }),
  );
}

function fileTable(files) {
  const place = el('div', {});
  const show = (num) =>
    replace(
      place,
      table(COLUMNS, files.slice(0, num), { 'aria-label': 'Files' }),
      files.length > num &&
        el(
          'button',
          { type: 'button', onclick: () => show(files.length) },
          `show all ${count(files.length)}`,
        ),
    );
  return show(SHOWN);
}

/** What is known of the content without reading it, and the command that reads it all. */
export function checksCard({ totals, num_files: num, workspace }) {
  const { num_hashed: hashed, samples, fingerprints } = totals;
  const isWhole = hashed === samples;
  return card(
    'Checksums',
    el(
      'p',
      {},
      el('b', { class: isWhole ? 'good' : 'bad' }, isWhole ? '✓ ' : '✗ '),
      `${count(hashed)} of ${count(samples)} samples carry the SHA-256 of their bytes; the Delta log carries the size of each of the ${count(num)} files. `,
      settingsText(fingerprints),
    ),
    el(
      'p',
      {},
      'Nothing is read again for this page. This command reads every byte: it decodes each file, compares rows and sizes with the log, computes the SHA-256 of each sample, looks for files that no table names, and checks that the funnel adds up.',
    ),
    copyable(`moviola verify ${quoted(workspace)}`),
  );
}

function settingsText(num) {
  if (num <= 1) return 'All rows were made with the same settings.';
  return el('b', { class: 'bad' }, `✗ Rows of ${num} settings are mixed: run the command again.`);
}
