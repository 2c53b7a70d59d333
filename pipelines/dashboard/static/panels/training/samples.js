// What a stage has generated, a row for each prompt and a column for each step.

import { hint } from '../../core/parts.js';
import { address } from '../../core/api.js';
import { el } from '../../core/dom.js';
import { count } from '../../core/format.js';
import { href } from '../../core/state.js';
import { card, headed } from '../../core/cards.js';
import { shownSample } from './sample.js';

const COLUMNS = 6;

/** The samples of the steps, the newest few of them unless all are asked for. */
export function samplesCard(steps, at, isAll) {
  const made = steps.filter((step) => step.samples.length);
  if (!made.length) return card('Samples', hint('None have been generated yet.'));
  const shown = isAll ? made : spread(made, COLUMNS);
  const source = (step, file, v) =>
    address(`${at}/samples/${step}/${encodeURIComponent(file)}`, { v });
  return card(
    headed(
      'Samples',
      el(
        'span',
        { class: 'hint' },
        'the same prompt and noise at each step; they play under the pointer or the keyboard',
      ),
      made.length > COLUMNS && otherwise(made.length, isAll),
    ),
    el(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Samples by prompt and step' },
      el('table', { class: 'samples' }, head(shown, source), body(shown, source)),
    ),
  );
}

/** The first, the last, and evenly spread ones between. */
function spread(steps, most) {
  if (steps.length <= most) return steps;
  const nth = (place) => Math.round((place * (steps.length - 1)) / (most - 1));
  const places = new Set(Array.from({ length: most }, (_, place) => nth(place)));
  return [...places].map((place) => steps[place]);
}

function otherwise(num, isAll) {
  const text = isAll ? `show ${COLUMNS} steps` : `show all ${count(num)} steps`;
  return el('a', { href: href({ steps: isAll ? null : 'all' }) }, text);
}

function head(shown, source) {
  const sheetLink = (step, sheet) => {
    const url = source(step, 'sheet.png', sheet);
    return el('a', { href: url, target: '_blank', rel: 'noreferrer' }, 'sheet');
  };
  return el(
    'thead',
    {},
    el(
      'tr',
      {},
      el('th', { scope: 'col' }, 'prompt'),
      shown.map(({ step, sheet }) =>
        el('th', { scope: 'col' }, `step ${count(step)}`, sheet && [' ', sheetLink(step, sheet)]),
      ),
    ),
  );
}

function body(shown, source) {
  return el(
    'tbody',
    {},
    rowsOf(shown).map(({ prompt, seed, samples }) =>
      el(
        'tr',
        {},
        el(
          'th',
          { scope: 'row' },
          prompt,
          Number.isFinite(seed) && el('small', {}, ` seed ${seed}`),
        ),
        shown.map(({ step }) => el('td', {}, cell(samples.get(step), step, source))),
      ),
    ),
  );
}

function cell(sample, step, source) {
  if (!sample) return el('small', {}, '–');
  return shownSample(sample, step, source(step, sample.file, sample.v));
}

/** The samples by prompt and seed, in the order in which these come up. */
function rowsOf(shown) {
  const rows = new Map();
  for (const { step, samples } of shown) {
    for (const sample of samples) {
      const prompt = sample.prompt ?? sample.file;
      const key = `${prompt} ${sample.seed}`;
      if (!rows.has(key)) rows.set(key, { prompt, seed: sample.seed, samples: new Map() });
      rows.get(key).samples.set(step, sample);
    }
  }
  return [...rows.values()];
}
