// Captions of the same clips, side by side where they changed.

import { ask } from '../../core/api.js';
import { el } from '../../core/dom.js';
import { count } from '../../core/format.js';
import { pageLinks } from '../../core/pages.js';
import { hint } from '../../core/parts.js';
import { href, panelHref } from '../../core/state.js';
import { markedWords } from './words.js';

const PAGE = 10;

/** Asks for the captions that differ between what followed on either decision. */
export async function askCaptions(named, { captioner, captions_page: shown }, signal) {
  const page = Number(shown ?? 0);
  const asked = { ...named, captioner, page, size: PAGE };
  return { ...(await ask('comparison/captions', asked, signal)), page };
}

/** What stands under the title. */
export function captionContents(found) {
  const { captioners, captioner, num, changes, held, page } = found;
  if (!captioners.length) return el('p', {}, 'No clip has a caption.');
  const { a, b } = captioners.find((one) => one.captioner === captioner);
  return [
    captioners.length > 1 && tabs(captioners, captioner),
    hint(said(found, captioner, a, b)),
    num &&
      changes.length > 0 && [
        el('ul', { class: 'captions' }, changes.map(drawnChange)),
        pageLinks({ page, size: PAGE, num: held, name: 'captions_page' }),
      ],
  ];
}

function tabs(captioners, picked) {
  const tab = ({ captioner }) =>
    el(
      'a',
      {
        href: href({ captioner, captions_page: null }),
        'aria-current': captioner === picked ? 'true' : null,
      },
      captioner,
    );
  const attributes = { class: 'tabs', role: 'group', 'aria-label': 'captioner' };
  return el('div', attributes, captioners.map(tab));
}

function said({ num, gone }, captioner, a, b) {
  if (gone) return `${gone}, so captions of ${captioner} cannot be compared any more.`;
  if (a === null || b === null)
    return `${captioner} had no captions yet when ${a === null ? 'A' : 'B'} was decided.`;
  if (a === b)
    return `Captions of ${captioner} are the same rows for both: version ${b} of their table.`;
  return `${captioner}, version ${a} against ${b} of its table: ${count(num.changed)} changed, ${count(num.same)} the same, ${count(num.gained)} new, ${count(num.lost)} gone.`;
}

function drawnChange({ clip_id: clip, a, b }) {
  const [before, after] = markedWords(a.caption, b.caption);
  // Who wrote it is told where that is what changed.
  const changed = ['model', 'prompt_version'].filter((key) => a[key] !== b[key]);
  const notes = (caption) =>
    [...changed.map((key) => caption[key]), ...(caption.flags ?? [])].filter(Boolean);
  return el(
    'li',
    {},
    el('a', { href: panelHref('clip', { clip }) }, clip),
    side('a', before, notes(a)),
    side('b', after, notes(b)),
  );
}

function side(name, text, notes) {
  return el(
    'div',
    {},
    el('b', { class: `mark ${name}` }, name.toUpperCase()),
    ' ',
    el('span', { dir: 'auto' }, text),
    el('small', {}, ` ${notes.join(' · ')}`),
  );
}
