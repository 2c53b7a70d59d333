// How to read the samples outside of this project, and what is in their columns.

import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { copyable, hint, table } from '../../core/parts.js';
import { card } from '../../core/cards.js';

const COLUMNS = [
  { name: 'column', of: (row) => el('code', {}, row.name) },
  { name: 'type', of: (row) => row.type },
  { name: 'holds', of: (row) => row.doc },
];

/** Code that reads the samples. */
export function readCard({ folder, is_remote: isRemote }) {
  const files = `${folder}/*.parquet`;
  return card(
    'Read them',
    el('h3', {}, 'Hugging Face datasets'),
    copyable(pythonOf(files)),
    el('h3', {}, 'DuckDB'),
    copyable(`SELECT bucket, count(*) FROM read_parquet(${sqlText(files)}) GROUP BY 1`),
    hint(
      isRemote
        ? 'Both need the credentials of the bucket.'
        : 'Plain Parquet: no code of this project is needed.',
      ' Rows without a sample are in folders below, so that this finds samples only. While a run writes, take the files that the Delta log names: ',
      el('code', {}, `delta_scan('${folder}')`),
      '.',
    ),
  );
}

const sqlText = (text) => `'${text.replaceAll("'", "''")}'`;
const pythonOf = (files) =>
  [
    'from datasets import load_dataset',
    '',
    `samples = load_dataset("parquet", data_files=${JSON.stringify(files)}, split="train")`,
  ].join('\n');

/** The columns of the table of samples. */
export function schemaCard({ table: name, schema }) {
  const title = `Columns of ${name} (${schema.length})`;
  return card(
    el(
      'details',
      {},
      el('summary', {}, el('h2', { class: 'inline' }, title)),
      table(COLUMNS, schema, { 'aria-label': 'Columns' }),
    ),
    exports({ name: 'schema', rows: () => schema }),
  );
}
