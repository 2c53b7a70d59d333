// The files of a subset's samples and latents, what is in them, and who has trained on them.

import { ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { bytes, count, duration, hours, number, percent, words } from '../core/format.js';
import { copyable, emptyState, exports, figure, table } from '../core/parts.js';
import { panelHref } from '../core/state.js';

const FILES = 40;

async function draw(body, { state, overview, signal }) {
  if (!state.subset) {
    replace(body, emptyState('There is no subset yet', 'Samples are cut when clips have been selected:', curateCommand(overview.workspace)));
    return;
  }
  const told = await ask('shards', { subset: state.subset }, signal);
  if (told.version === null) {
    const atWork = overview.run?.is_alive;
    replace(body, emptyState(`${state.subset} has no samples yet`,
      atWork ? 'A run is at work; samples are its last step, and appear here when the first are committed.' : 'Clips are selected, and not cut yet. The same command goes on from there:',
      atWork ? null : curateCommand(overview.workspace)));
    return;
  }
  replace(body, summary(told), outcomeNote(told),
    el('div', { class: 'columns' }, bucketCard(told), readCard(told)),
    filesCard(told), checksCard(told), latentsCard(told), readersCard(told), schemaCard(told.table, told.schema));
}

const quoted = (path) => `'${path.replaceAll("'", "'\\''")}'`;
const curateCommand = (workspace) => `moviola curate RECIPE --input FOOTAGE --workspace ${quoted(workspace)}`;

function summary(told) {
  const { totals } = told;
  const kept = panelHref('examples', { subset: told.subset, verdict: 'kept' });
  const rest = totals.rows - totals.samples;
  return el('div', { class: 'figures' },
    figure('samples', el('a', { href: kept }, count(totals.samples)), `of ${count(totals.rows)} rows`),
    figure('video', hours(totals.hours), `${bytes(totals.video_bytes)} of clips`),
    figure('files', count(told.num_files), `${bytes(told.size_bytes)}, version ${told.version}`),
    figure('per sample', totals.samples ? bytes(totals.video_bytes / totals.samples) : '–', totals.samples ? duration((3600 * totals.hours) / totals.samples) : null),
    figure('with a caption', totals.samples ? percent(totals.captioned / totals.samples) : '–', `of ${count(totals.samples)}`),
    figure('without a sample', rest ? el('a', { href: panelHref('failures', { stage: told.table }) }, count(rest)) : '0', rest ? 'rejected or failed' : 'every row is one', { class: `figure${rest ? ' warn' : ''}` }));
}

function outcomeNote(told) {
  const others = told.outcomes.filter((one) => one.status !== 'ok');
  if (!others.length) return null;
  return el('section', { class: 'card roomy' }, el('h2', {}, 'Rows without a sample'),
    el('ul', { class: 'reasons' }, others.map((one) => el('li', { class: one.status },
      el('a', { href: panelHref('failures', { stage: told.table, why: one.reason }) }, `${one.status}: ${words(one.reason ?? '')}`), ' ', el('b', {}, count(one.num))))));
}

function bucketCard(told) {
  const whole = told.totals.samples;
  const most = Math.max(1, ...told.buckets.map((one) => one.num));
  return el('section', { class: 'card roomy' }, el('h2', {}, 'Buckets'),
    told.buckets.length ? table([
      { name: 'bucket', of: (row) => el('span', { class: 'nowrap' }, row.bucket) },
      { name: '', of: (row) => el('span', { class: 'meter', role: 'img', 'aria-label': percent(row.num / whole) }, el('span', { style: `width:${(100 * row.num) / most}%` })) },
      { name: 'samples', num: true, of: (row) => count(row.num) },
      { name: 'share', num: true, of: (row) => percent(row.num / whole) },
      { name: 'px', num: true, of: (row) => `${row.width}×${row.height}` },
      { name: 'frames', num: true, of: (row) => count(row.num_frames) },
      { name: 'video', num: true, of: (row) => hours(row.hours) },
      { name: 'size', num: true, of: (row) => bytes(row.size_bytes) },
      { name: 'weight', num: true, of: (row) => number(row.weight) },
    ], told.buckets, { 'aria-label': 'Buckets' }) : el('p', { class: 'hint' }, 'No row is a sample.'),
    el('p', { class: 'hint' }, 'All samples of a bucket have one shape. Weight is the sum of what training draws by.'),
    exports({ name: `${told.subset}-buckets`, rows: () => told.buckets }));
}

function readCard(told) {
  const files = `${told.folder}/*.parquet`;
  const python = ['from datasets import load_dataset', '',
    `samples = load_dataset("parquet", data_files=${JSON.stringify(files)}, split="train")`].join('\n');
  const duck = `SELECT bucket, count(*) FROM read_parquet('${files.replaceAll("'", "''")}') GROUP BY 1`;
  return el('section', { class: 'card roomy' }, el('h2', {}, 'Read them'),
    el('h3', {}, 'Hugging Face datasets'), copyable(python),
    el('h3', {}, 'DuckDB'), copyable(duck),
    el('p', { class: 'hint' }, told.is_remote ? 'Both need the credentials of the bucket.' : 'Plain Parquet: no code of this project is needed.', ' Rows without a sample are in folders below, so that this finds samples only. While a run writes, take the files that the Delta log names: ', el('code', {}, `delta_scan('${told.folder}')`), '.'));
}

function filesCard(told) {
  const rows = el('div', {});
  const draw = (num) => replace(rows, table([
    { name: 'file', of: (row) => el('code', {}, row.file) },
    { name: 'rows', num: true, of: (row) => count(row.rows) },
    { name: 'samples', num: true, of: (row) => count(row.samples) },
    { name: 'video', num: true, of: (row) => hours(row.hours) },
    { name: 'size', num: true, of: (row) => bytes(row.size_bytes) },
    { name: 'buckets', of: (row) => row.buckets.join(', ') },
  ], told.files.slice(0, num), { 'aria-label': 'Files' }),
  told.files.length > num && el('button', { type: 'button', onclick: () => draw(told.files.length) }, `show all ${count(told.files.length)}`));
  draw(FILES);
  return el('section', { class: 'card roomy' }, el('h2', {}, `Files of ${told.table}`), el('p', { class: 'hint' }, told.folder), rows,
    told.num_files > told.files.length && el('p', { class: 'hint' }, `The first ${count(told.files.length)} of ${count(told.num_files)}.`),
    exports({ name: `${told.subset}-files`, rows: () => told.files.map((row) => ({ ...row, buckets: row.buckets.join(' ') })) }));
}

function checksCard(told) {
  const { totals } = told;
  const whole = totals.num_hashed === totals.samples;
  return el('section', { class: 'card roomy' }, el('h2', {}, 'Checksums'),
    el('p', {}, el('b', { class: whole ? 'good' : 'bad' }, whole ? '✓ ' : '✗ '), `${count(totals.num_hashed)} of ${count(totals.samples)} samples carry the SHA-256 of their bytes; the Delta log carries the size of each of the ${count(told.num_files)} files. `,
      totals.fingerprints > 1 ? el('b', { class: 'bad' }, `✗ Rows of ${totals.fingerprints} settings are mixed: run the command again.`) : 'All rows were made with the same settings.'),
    el('p', {}, 'Nothing is read again for this page. This command reads every byte: it decodes each file, compares rows and sizes with the log, computes the SHA-256 of each sample, looks for files that no table names, and checks that the funnel adds up.'),
    copyable(`moviola verify ${quoted(told.workspace)}`));
}

function latentsCard(told) {
  const { latents } = told;
  if (!latents) {
    return el('section', { class: 'card roomy' }, el('h2', {}, 'Latents'), el('p', {}, 'The samples are not encoded yet. Training can encode them as it goes, or read them encoded by:'),
      copyable(`moviola encode TRAINING_RECIPE --workspace ${quoted(told.workspace)}`));
  }
  return el('section', { class: 'card roomy' }, el('h2', {}, 'Latents'),
    el('div', { class: 'figures' },
      figure('encoded', count(latents.samples), `of ${count(told.totals.samples)} samples`),
      figure('size', bytes(latents.size_bytes), `${count(latents.num_files)} files, version ${latents.version}`),
      figure('encoder', (latents.encoders ?? []).map((hash) => el('code', {}, hash)), (latents.encoders ?? []).length > 1 ? 'several in one table: encode again' : 'hash of models and settings', { class: `figure${(latents.encoders ?? []).length > 1 ? ' bad' : ''}` }),
      figure('of other samples', count(latents.stale), latents.stale ? 'whose sample is gone or has changed: encode again' : 'all are of the samples that are there', { class: `figure ${latents.stale ? 'warn' : 'good'}` })),
    latents.shapes.length > 0 && table([
      { name: 'channels × frames × rows × columns', of: (row) => (row.shape ?? []).join(' × ') },
      { name: 'samples', num: true, of: (row) => count(row.num) },
      { name: 'of frames', num: true, of: (row) => number(row.num_frames) },
      { name: 'px', num: true, of: (row) => `${row.width}×${row.height}` },
      { name: 'with an image', num: true, of: (row) => count(row.with_image) },
    ], latents.shapes, { 'aria-label': 'Shapes of latents' }),
    el('p', { class: 'hint' }, latents.folder),
    exports({ name: `${told.subset}-latents`, rows: () => latents.shapes.map((row) => ({ ...row, shape: (row.shape ?? []).join('x') })) }));
}

function readersCard(told) {
  if (!told.readers.length) {
    return el('section', { class: 'card roomy' }, el('h2', {}, 'Who has trained on them'),
      el('p', {}, 'No training run that the dashboard knows has read this subset. Name the folders of runs when you start it:'),
      copyable(`moviola dashboard ${quoted(told.workspace)} --run RUN`));
  }
  return el('section', { class: 'card roomy' }, el('h2', {}, 'Who has trained on them'),
    table([
      { name: 'run', of: (row) => el('a', { href: panelHref('training', { of: row.run, stage: row.stage }) }, `${row.name} / ${row.stage}`) },
      { name: 'read', of: (row) => `${row.table}, version ${row.version}` },
      { name: 'encoder', of: (row) => (row.encoder_hash ? el('code', {}, row.encoder_hash) : 'as it trained') },
      { name: 'samples', num: true, of: (row) => (row.num_samples ? count(row.num_samples) : '–') },
      { name: 'since', of: (row) => since(row) },
    ], told.readers, { 'aria-label': 'Training runs' }),
    exports({ name: `${told.subset}-readers`, rows: () => told.readers }));
}

function since(row) {
  if (!row.is_here) return el('span', { title: row.workspace }, 'of another workspace: ', el('code', {}, row.workspace ?? 'unknown'));
  if (row.num_changes === null) return 'the table is gone';
  return row.num_changes ? el('b', { class: 'bad' }, `changed by ${count(row.num_changes)} ${row.num_changes === 1 ? 'commit' : 'commits'}`) : el('span', { class: 'good' }, '✓ unchanged');
}

function schemaCard(name, schema) {
  return el('section', { class: 'card roomy' }, el('details', {}, el('summary', {}, el('h2', { class: 'inline' }, `Columns of ${name} (${schema.length})`)),
    table([
      { name: 'column', of: (row) => el('code', {}, row.name) },
      { name: 'type', of: (row) => row.type },
      { name: 'holds', of: (row) => row.doc },
    ], schema, { 'aria-label': 'Columns' })),
  exports({ name: 'schema', rows: () => schema }));
}

export default {
  id: 'shards',
  title: 'Shards',
  hint: 'The files of the samples and their latents, what is in them, and which training runs have read them.',
  draw,
};
