// What is picked on the map and in the table, in one line with a link to its clips.

import { el } from '../../core/dom.js';
import { count, percent } from '../../core/format.js';
import { panelHref } from '../../core/state.js';

/** More than these make an address too long. */
const MOST_LINKED = 400;
const MOST_NAMED = 4;

/** The URL of the kept clips of concepts. */
export const examplesOf = (subset, ids) =>
  panelHref('examples', { subset, verdict: 'kept', concept: ids });

/** What the line says of the ids in `picked`. */
export function pickedLine(concepts, picked, subset, clear) {
  if (!picked.size) return [nonePicked()];
  const chosen = concepts.filter((one) => picked.has(one.concept_id));
  const sum = (name) => chosen.reduce((all, one) => all + one[name], 0);
  return [
    el('b', {}, namesOf(chosen)),
    el('span', {}, `${percent(sum('before'))} → ${percent(sum('after'))}`),
    clipsLink(chosen, sum('num'), subset, picked.size),
    el('button', { type: 'button', onclick: clear }, 'clear'),
  ];
}

const nonePicked = () =>
  el(
    'span',
    { class: 'hint' },
    'Circles are as large as their share; the dashed ring is the other state. Click one for its clips; select several with a lasso, shift-click or the table. The wheel zooms after a click into the map.',
  );

function namesOf(chosen) {
  const named = chosen.slice(0, MOST_NAMED).map((one) => one.name);
  const more = chosen.length - named.length;
  return `${named.join(', ')}${more ? ` and ${more} more` : ''}`;
}

function clipsLink(chosen, num, subset, numPicked) {
  if (chosen.length > MOST_LINKED) {
    return el(
      'span',
      { class: 'hint' },
      `${count(num)} clips; select at most ${MOST_LINKED} concepts to open them`,
    );
  }
  const ids = chosen.map((one) => one.concept_id);
  return el(
    'a',
    { href: examplesOf(subset, ids), 'data-picked': numPicked },
    `see ${count(num)} ${num === 1 ? 'clip' : 'clips'}`,
  );
}
