// What a stage has generated, a row for each prompt and a column for each step.

import { address } from '../core/api.js';
import { el } from '../core/dom.js';
import { count } from '../core/format.js';
import { href } from '../core/state.js';

const COLUMNS = 6;
const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** The samples of the steps, the newest few of them unless all are asked for. */
export function samplesCard(steps, at, all) {
  const made = steps.filter((step) => step.samples.length);
  if (!made.length) {
    return el('section', { class: 'card roomy' }, el('h2', {}, 'Samples'), el('p', { class: 'hint' }, 'None have been generated yet.'));
  }
  const shown = all ? made : spread(made, COLUMNS);
  const rows = new Map();
  for (const { step, samples } of shown) {
    for (const sample of samples) {
      const key = `${sample.prompt ?? sample.file} ${sample.seed}`;
      if (!rows.has(key)) rows.set(key, { prompt: sample.prompt ?? sample.file, seed: sample.seed, of: new Map() });
      rows.get(key).of.set(step, sample);
    }
  }
  const source = (step, file, v) => address(`${at}/samples/${step}/${encodeURIComponent(file)}`, { v });
  return el('section', { class: 'card roomy' },
    el('div', { class: 'row' }, el('h2', {}, 'Samples'), el('span', { class: 'hint' }, 'the same prompt and noise at each step; they play under the pointer or the keyboard'),
      made.length > COLUMNS && el('a', { href: href({ steps: all ? null : 'all' }) }, all ? `show ${COLUMNS} steps` : `show all ${count(made.length)} steps`)),
    el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Samples by prompt and step' }, el('table', { class: 'samples' },
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'prompt'), shown.map(({ step, sheet }) =>
        el('th', { scope: 'col' }, `step ${count(step)}`, sheet && [' ', el('a', { href: source(step, 'sheet.png', sheet), target: '_blank', rel: 'noreferrer' }, 'sheet')])))),
      el('tbody', {}, [...rows.values()].map((row) => el('tr', {},
        el('th', { scope: 'row' }, row.prompt, Number.isFinite(row.seed) && el('small', {}, ` seed ${row.seed}`)),
        shown.map(({ step }) => el('td', {}, row.of.has(step) ? shownSample(row.of.get(step), step, source) : el('small', {}, '–')))))))));
}

/** The first, the last, and evenly spread ones between. */
function spread(steps, most) {
  if (steps.length <= most) return steps;
  return [...new Set(Array.from({ length: most }, (_, place) => Math.round((place * (steps.length - 1)) / (most - 1))))].map((place) => steps[place]);
}

function shownSample(sample, step, source) {
  const label = `step ${step}: ${sample.prompt ?? sample.file}`;
  const url = source(step, sample.file, sample.v);
  const shape = sample.width && sample.height ? `aspect-ratio:${Number(sample.width)}/${Number(sample.height)}` : null;
  if (!sample.is_video) return el('img', { loading: 'lazy', src: url, alt: label, style: shape });
  const video = el('video', { src: `${url}#t=0.001`, preload: 'metadata', loop: true, playsinline: true, '.muted': true, style: shape, 'aria-hidden': 'true' });
  const play = () => video.play().catch(() => {});
  const hover = () => { if (!calm.matches) play(); };
  return el('button', { type: 'button', class: 'sample', 'aria-label': `play ${label}`,
    onclick: () => (video.paused ? play() : video.pause()),
    onpointerenter: hover, onpointerleave: () => video.pause(), onfocus: (event) => { if (event.target.matches(':focus-visible')) hover(); }, onblur: () => video.pause() }, video);
}
