// What became of one clip: its decisions, its captions, and the commits that made its rows.

import { el } from '../core/dom.js';
import { bytes, number, place, time, words } from '../core/format.js';
import { table } from '../core/parts.js';
import { panelHref } from '../core/state.js';

const SIGNS = { passes: '✓', fails: '✗', unscored: '?', off: '–', 'does not apply': '–', 'not reached': '·' };

/** How it was decided in one subset. */
export function decision(found) {
  const verdict = found.status === 'ok' ? 'kept' : `rejected by ${words(found.reason ?? found.status)}`;
  return el('article', { class: 'decision', 'data-subset': found.subset },
    el('h3', { class: found.status === 'ok' ? 'is-kept' : 'is-rejected' }, `${found.subset}: ${verdict}`),
    found.audit && el('p', { class: 'hint' }, 'In the audit share: later stages process it all the same.'),
    found.steps ? steps(found.steps) : el('p', { class: 'hint' }, 'What the subset was selected by was not kept, so its rules are not known.'),
    el('ul', { class: 'after' }, after(found).map((one) => el('li', {}, one))));
}

function steps(rows) {
  return table([
    { name: 'step', of: (row) => el('span', { title: row.measure && row.measure !== row.name ? row.measure : null }, words(row.name)) },
    { name: 'value', num: true, of: (row) => value(row.value, row.name) },
    { name: 'passes if', of: (row) => row.condition },
    { name: 'verdict', of: (row) => el('span', { class: `verdict ${row.verdict.replaceAll(' ', '-')}` }, `${SIGNS[row.verdict]} ${row.verdict}`, row.decided && el('b', {}, ' ← rejected here')) },
  ], rows, { class: 'steps', 'aria-label': 'Steps' });
}

function value(found, name) {
  if (typeof found === 'number') return number(found);
  if (found === null || found === undefined) return '–';
  if (name === 'duplicate') return el('a', { href: panelHref('clip', { clip: found }) }, found);
  return String(found);
}

/** What followed: concept, sample, latents, each as text. */
function after({ selected, sample, latents, review, status }) {
  const found = [];
  if (selected.duplicate_of) found.push(`shows what the kept clip shows, alike ${number(selected.cosine)}`);
  if (selected.weight !== null && status === 'ok') found.push(`weight in training ${number(selected.weight)}`);
  if (review) found.push(`review: ${review.verdict}${review.reviewer ? ` by ${review.reviewer}` : ''}${review.note ? ` (${review.note})` : ''}`);
  if (sample?.status === 'ok') {
    found.push(`sample: ${sample.file}, row ${sample.row}: bucket ${sample.bucket}, ${sample.fps_token ?? 'image'}, ${place(sample.start_s)} to ${place(sample.end_s)}`);
    if (sample.prompt) found.push([el('b', {}, 'prompt '), sample.prompt]);
  } else if (sample?.status === 'waiting') found.push('no sample yet');
  else if (sample) found.push(`no sample: ${sample.reason ?? sample.status}${sample.error ? `: ${sample.error}` : ''}`);
  if (latents?.status === 'ok') found.push(`latents: ${latents.num_frames} frames of ${latents.width} × ${latents.height} px as ${latents.latent_shape.join(' × ')}, encoder ${latents.encoder_hash}`);
  else if (latents) found.push(`no latents: ${latents.reason ?? latents.status}`);
  return found;
}

/** What a captioner wrote. */
export function caption(found) {
  if (found.status !== 'ok') return el('article', {}, el('h3', {}, found.captioner), el('p', {}, `${found.status}: ${found.reason ?? ''} ${found.error ?? ''}`));
  const review = found.review;
  return el('article', { class: 'caption' },
    el('h3', {}, found.captioner, el('small', {}, ` ${found.model}, prompt ${found.prompt_version}, ${found.origin}`)),
    el('blockquote', {}, found.caption),
    el('p', { class: 'note' }, `camera: ${found.camera ?? 'not told'}${found.camera === null ? '' : ` (${number(found.camera_confidence)} sure)`}, ${found.attempts} made, ${found.num_tokens} tokens`),
    found.flags?.length > 0 && el('p', { class: 'flags' }, found.flags.map((flag) => el('a', { href: panelHref('examples', { flag }) }, `⚑ ${words(flag)}`))),
    review && el('p', { class: 'note' }, `review: ${review.verdict}${review.reviewer ? ` by ${review.reviewer}` : ''}${review.holds ? '' : ', of earlier words'}${review.caption ? `: ${review.caption}` : ''}`),
    found.facts?.length > 0 && el('details', {}, el('summary', {}, `${found.facts.length} facts it rests on`), el('ul', {}, found.facts.map((fact) => el('li', {}, fact)))));
}

/** What models saw in it. */
export function seen({ concept_labels: labels, attributes, text_lines: lines, models, status, reason, error }) {
  if (!models && !status) return el('p', { class: 'hint' }, 'No model has looked at it: a rule on measures rejected it first, or scoring is off.');
  if (status !== 'ok') return el('p', {}, `${status}: ${reason ?? ''} ${error ?? ''}`);
  return [
    labels?.length > 0 && el('p', {}, labels.map((one, at) => [at ? ', ' : '', one.label, el('small', {}, ` ${number(one.score)}`)])),
    attributes?.length > 0 && el('p', {}, attributes.map((one, at) => [at ? ', ' : '', `${one.kind}: ${one.value}`, el('small', {}, ` ${number(one.score)}`)])),
    lines?.length > 0 && el('p', {}, 'text: ', lines.map((one, at) => [at ? ' / ' : '', el('q', {}, one.text), el('small', {}, ` ${number(one.score)}`)])),
    el('p', { class: 'note' }, `by ${models.join(', ')}`),
  ];
}

/** The clip's way from the source to the samples, with who made each step. */
export function lineage(clip, commits) {
  return table([
    { name: 'table', of: (row) => row.table },
    { name: 'what', of: (row) => what(row, clip) },
    { name: 'made by', of: (row) => el('span', { title: row.command }, `${row.run}${row.is_exact ? '' : ' (the last to add rows)'}`) },
    { name: 'code', of: (row) => row.code },
    { name: 'recipe', of: (row) => row.recipe },
    { name: 'when', of: (row) => time(row.time_ms) },
  ], commits, { class: 'commits', 'aria-label': 'Commits' });
}

function what({ table: name, file }, clip) {
  const [kind, part] = name.split('/');
  const subset = clip.subsets.find((one) => one.subset === part);
  const captioned = clip.captions.find((one) => one.captioner === part);
  switch (kind) {
    case 'sources': return clip.video.uris.join(', ');
    case 'videos': return `SHA-256 ${clip.video.sha256}, ${bytes(clip.measures.find((one) => one.name === 'size_bytes')?.value)}`;
    case 'clips': return `${place(clip.place.start_s)} to ${place(clip.place.end_s)}, ${clip.place.num_frames} frames from ${clip.place.start_frame}; ${file}`;
    case 'scores': return (clip.scores.models ?? []).join(', ');
    case 'selection': return clip.subsets.map((one) => `${one.subset}: ${one.reason ?? one.status}`).join(', ');
    case 'captions': return captioned ? `${captioned.model}, ${captioned.prompt_version}` : '';
    case 'shards': return `${file}${subset?.sample?.row === undefined ? '' : `, row ${subset.sample.row}`}`;
    default: return subset?.latents?.encoder_hash ?? '';
  }
}
