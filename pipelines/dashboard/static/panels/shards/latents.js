// The latents of the samples, if they are encoded.

import { quoted } from '../../core/commands.js';
import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { bytes, count, number } from '../../core/format.js';
import { copyable, figure, hint, table } from '../../core/parts.js';
import { card } from '../../core/cards.js';

const COLUMNS = [
  { name: 'channels × frames × rows × columns', of: (row) => (row.shape ?? []).join(' × ') },
  { name: 'samples', num: true, of: (row) => count(row.num) },
  { name: 'of frames', num: true, of: (row) => number(row.num_frames) },
  { name: 'px', num: true, of: (row) => `${row.width}×${row.height}` },
  { name: 'with an image', num: true, of: (row) => count(row.with_image) },
];

/** The latents with their shapes, or how to make them. */
export function latentsCard({ latents, subset, totals, workspace }) {
  if (!latents) return notEncoded(workspace);
  const { shapes, folder } = latents;
  return card(
    'Latents',
    latentFigures(latents, totals.samples),
    shapes.length > 0 && table(COLUMNS, shapes, { 'aria-label': 'Shapes of latents' }),
    hint(folder),
    exports({
      name: `${subset}-latents`,
      rows: () => shapes.map((row) => ({ ...row, shape: (row.shape ?? []).join('x') })),
    }),
  );
}

function notEncoded(workspace) {
  return card(
    'Latents',
    el(
      'p',
      {},
      'The samples are not encoded yet. Training can encode them as it goes, or read them encoded by:',
    ),
    copyable(`moviola encode TRAINING_RECIPE --workspace ${quoted(workspace)}`),
  );
}

function latentFigures(latents, numSamples) {
  const { samples, size_bytes: size, num_files: files, version, stale } = latents;
  const encoders = latents.encoders ?? [];
  const isMixed = encoders.length > 1;
  return el(
    'div',
    { class: 'figures' },
    figure('encoded', count(samples), `of ${count(numSamples)} samples`),
    figure('size', bytes(size), `${count(files)} files, version ${version}`),
    figure(
      'encoder',
      encoders.map((hash) => el('code', {}, hash)),
      isMixed ? 'several in one table: encode again' : 'hash of models and settings',
      { class: `figure${isMixed ? ' bad' : ''}` },
    ),
    figure(
      'of other samples',
      count(stale),
      stale
        ? 'whose sample is gone or has changed: encode again'
        : 'all are of the samples that are there',
      { class: `figure ${stale ? 'warn' : 'good'}` },
    ),
  );
}
