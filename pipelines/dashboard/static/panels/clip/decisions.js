// How one clip was decided in each subset, and what followed.

import { el } from '../../core/dom.js';
import { number, place, words } from '../../core/format.js';
import { hint, table } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';

const SIGNS = {
  passes: '✓',
  fails: '✗',
  unscored: '?',
  off: '–',
  'does not apply': '–',
  'not reached': '·',
};

const COLUMNS = [
  { name: 'step', of: stepName },
  { name: 'value', num: true, of: (step) => value(step.value, step.name) },
  { name: 'passes if', of: (step) => step.condition },
  { name: 'verdict', of: verdict },
];

/** The subset that is picked comes first, open; the others are folded away under their verdict. */
export function decisions({ subsets, video }, picked) {
  if (!subsets.length) return hint(`In no selection: its video is ${video.status}.`);
  const [first, ...others] = subsets.toSorted(
    (one, other) => (other.subset === picked) - (one.subset === picked),
  );
  return [article(first, heading(first)), others.map(folded)];
}

function folded(decision) {
  return el('details', {}, el('summary', {}, title(decision)), article(decision));
}

function heading(decision) {
  const isKept = decision.status === 'ok';
  return el('h3', { class: isKept ? 'is-kept' : 'is-rejected' }, title(decision));
}

const title = ({ subset, status, reason }) =>
  `${subset}: ${status === 'ok' ? 'kept' : `rejected by ${words(reason ?? status)}`}`;

function article(decision, head = null) {
  const { subset, audit, steps } = decision;
  return el(
    'article',
    { class: 'decision', 'data-subset': subset },
    head,
    audit && hint('In the audit share: later stages process it all the same.'),
    steps
      ? table(COLUMNS, steps, { class: 'steps', 'aria-label': `Steps of ${subset}` })
      : hint('What the subset was selected by was not kept, so its rules are not known.'),
    el(
      'ul',
      { class: 'after' },
      after(decision).map((one) => el('li', {}, one)),
    ),
  );
}

function stepName({ name, measure }) {
  return el('span', { title: measure && measure !== name ? measure : null }, words(name));
}

function verdict({ verdict: said, decided }) {
  return el(
    'span',
    { class: `verdict ${said.replaceAll(' ', '-')}` },
    `${SIGNS[said]} ${said}`,
    decided && el('b', {}, ' ← rejected here'),
  );
}

function value(found, name) {
  if (typeof found === 'number') return number(found);
  if (found === null || found === undefined) return '–';
  if (name === 'duplicate') return el('a', { href: panelHref('clip', { clip: found }) }, found);
  return String(found);
}

/** What followed, each as text: duplicates, weight, review, sample and latents. */
function after({ selected, sample, latents, review, status }) {
  const { duplicate_of: other, cosine, weight } = selected;
  return [
    other && `shows what the kept clip shows, alike ${number(cosine)}`,
    weight !== null && status === 'ok' && `weight in training ${number(weight)}`,
    review && reviewText(review),
    ...(sample ? sampleTexts(sample) : []),
    latents && latentsText(latents),
  ].filter(Boolean);
}

function reviewText({ verdict: said, reviewer, note }) {
  return `review: ${said}${reviewer ? ` by ${reviewer}` : ''}${note ? ` (${note})` : ''}`;
}

function sampleTexts(sample) {
  const { status, file, row, bucket, fps_token: fps, reason, error, prompt } = sample;
  if (status === 'waiting') return ['no sample yet'];
  if (status !== 'ok') return [`no sample: ${reason ?? status}${error ? `: ${error}` : ''}`];
  const range = `${place(sample.start_s)} to ${place(sample.end_s)}`;
  return [
    `sample: ${file}, row ${row}: bucket ${bucket}, ${fps ?? 'image'}, ${range}`,
    prompt && [el('b', {}, 'prompt '), prompt],
  ];
}

function latentsText(latents) {
  if (latents.status !== 'ok') return `no latents: ${latents.reason ?? latents.status}`;
  const { num_frames: frames, width, height, latent_shape: shape, encoder_hash: encoder } = latents;
  return `latents: ${frames} frames of ${width} × ${height} px as ${shape.join(' × ')}, encoder ${encoder}`;
}
