// Captions of the same clips, side by side where they changed.

import { ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { count } from '../core/format.js';
import { errorBox } from '../core/parts.js';
import { href, panelHref } from '../core/state.js';

const PAGE = 10;
const MOST_WORDS = 400;

/** Draws the captions that differ between what followed on either decision. */
export async function captionChanges(section, named, wanted, signal) {
  const title = el('h2', {}, 'Captions');
  const page = Number(wanted.captions_page ?? 0);
  let found;
  try {
    found = await ask('comparison/captions', { ...named, captioner: wanted.captioner, page, size: PAGE }, signal);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    replace(section, title, errorBox(error));
    return;
  }
  const { captioners, captioner, num } = found;
  if (!captioners.length) {
    replace(section, title, el('p', {}, 'No clip has a caption.'));
    return;
  }
  const tabs = captioners.length > 1 && el('div', { class: 'tabs', role: 'group', 'aria-label': 'captioner' },
    captioners.map((one) => el('a', { href: href({ captioner: one.captioner, captions_page: null }), 'aria-current': one.captioner === captioner ? 'true' : null }, one.captioner)));
  const { a, b } = captioners.find((one) => one.captioner === captioner);
  replace(section, title, tabs, el('p', { class: 'hint' }, said(found, captioner, a, b)));
  if (!num || !found.changes.length) return;
  const last = Math.ceil(found.held / PAGE) - 1;
  section.append(
    el('ul', { class: 'captions' }, found.changes.map(drawnChange)),
    last > 0 ? el('div', { class: 'row' },
      page > 0 && el('a', { href: href({ captions_page: page - 1 || null }) }, '← before'),
      el('span', { class: 'note' }, `page ${count(page + 1)} of ${count(last + 1)}`),
      page < last && el('a', { href: href({ captions_page: page + 1 }) }, 'next →')) : '');
}

function said({ num, gone }, captioner, a, b) {
  if (gone) return `${gone}, so captions of ${captioner} cannot be compared any more.`;
  if (a === null || b === null) return `${captioner} had no captions yet when ${a === null ? 'A' : 'B'} was decided.`;
  if (a === b) return `Captions of ${captioner} are the same rows for both: version ${b} of their table.`;
  return `${captioner}, version ${a} against ${b} of its table: ${count(num.changed)} changed, ${count(num.same)} the same, ${count(num.gained)} new, ${count(num.lost)} gone.`;
}

function drawnChange({ clip_id, a, b }) {
  const [before, after] = marked(a.caption, b.caption);
  // Who wrote it is told where that is what changed.
  const notes = (told) => [...['model', 'prompt_version'].filter((key) => a[key] !== b[key]).map((key) => told[key]), ...(told.flags ?? [])];
  const side = (name, told, text) => el('div', {}, el('b', { class: `mark ${name}` }, name.toUpperCase()), ' ', el('span', { dir: 'auto' }, text),
    el('small', {}, ` ${notes(told).filter(Boolean).join(' · ')}`));
  return el('li', {}, el('a', { href: panelHref('clip', { clip: clip_id }) }, clip_id), side('a', a, before), side('b', b, after));
}

/** Both texts with the words that the other lacks marked, by their longest common part. */
function marked(before, after) {
  const [one, two] = [before.split(/\s+/), after.split(/\s+/)];
  if (one.length > MOST_WORDS || two.length > MOST_WORDS) return [[before], [after]];
  const long = Array.from({ length: one.length + 1 }, () => new Uint16Array(two.length + 1));
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = two.length - 1; j >= 0; j -= 1) {
      long[i][j] = one[i] === two[j] ? long[i + 1][j + 1] + 1 : Math.max(long[i + 1][j], long[i][j + 1]);
    }
  }
  const [left, right] = [[], []];
  let [i, j] = [0, 0];
  while (i < one.length || j < two.length) {
    if (i < one.length && j < two.length && one[i] === two[j]) {
      left.push(`${one[i]} `);
      right.push(`${two[j]} `);
      i += 1;
      j += 1;
    } else if (j >= two.length || (i < one.length && long[i + 1][j] >= long[i][j + 1])) {
      left.push(el('del', {}, one[i]), ' ');
      i += 1;
    } else {
      right.push(el('ins', {}, two[j]), ' ');
      j += 1;
    }
  }
  return [left, right];
}
