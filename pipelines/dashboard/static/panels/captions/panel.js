// Captions beside what they describe: flags, facts, camera; accepted, rejected or edited by a person.

import { pageOf } from '../../core/pages.js';
import { quoted } from '../../core/commands.js';
import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count } from '../../core/format.js';
import { emptyState } from '../../core/parts.js';
import { href } from '../../core/state.js';
import { CaptionCard } from './card.js';
import { captionFigures, effectOfReviews } from './figures.js';
import { captionFilters, FILTERS } from './filters.js';
import { flagList } from './flags.js';
import { keysLine, listenToKeys, step } from './keys.js';
import { lengthCard } from './lengths.js';

const SIZE = 10;
const SAVED = [
  'clip_id',
  'captioner',
  'model',
  'prompt_version',
  'origin',
  'caption',
  'num_words',
  'camera',
  'camera_confidence',
  'flags',
  'review',
  'edited',
  'note',
  'reviewer',
  'reviewed_at',
];

/** Draws the panel; may return what is to be done when it is left. */
export async function draw(body, { state, overview, signal }) {
  const nothing = nothingToShow(state, overview);
  if (nothing) {
    replace(body, nothing);
    return null;
  }
  const page = pageOf(state.page);
  const names = [...FILTERS, 'subset', 'clip'];
  const asked = Object.fromEntries(names.map((name) => [name, state[name]]));
  const found = await ask('captions', { ...asked, page, size: SIZE }, signal);
  const figures = el('div', { class: 'figures' });
  const list = el('div', { class: 'caption-list', role: 'list', 'aria-label': 'Captions' });
  const cards = cardsOf(found, { body, figures, list });
  replace(
    list,
    cards.map((card) => card.node),
  );
  replace(
    body,
    figures,
    effectOfReviews(found, state.subset),
    captionFilters(state, found),
    el(
      'div',
      { class: 'caption-columns' },
      main(list, state, page, found),
      side(body, state, found),
    ),
  );
  return listenToKeys(cards);
}

function nothingToShow({ subset }, { captioners, workspace }) {
  if (!captioners.length)
    return emptyState(
      'No captions yet',
      'Clips that a subset keeps are captioned where the recipe has captioning.',
      `moviola curate RECIPE --workspace ${quoted(workspace)}`,
    );
  if (!subset)
    return emptyState('No subset has been selected yet', 'Captions are shown by subset.');
  return null;
}

/** The cards; the figures above them follow what is judged in them. */
function cardsOf(found, { body, figures, list }) {
  const counts = { none: 0, outdated: 0, accept: 0, reject: 0, edit: 0, ...found.reviewed };
  const tell = () => replace(figures, captionFigures(found, counts));
  tell();
  const judged = (before, after) => {
    // From now on a redraw would take away what is being worked on.
    list.classList.add('busy');
    counts[before] -= 1;
    counts[after] += 1;
    tell();
  };
  const next = (card) =>
    step(cards, card, 1) || body.querySelector('.pages a:last-of-type')?.focus();
  const cards = found.captions.map((one) => new CaptionCard(one, { judged, next }));
  return cards;
}

function main(list, state, page, { captions, num }) {
  return el(
    'div',
    { class: 'caption-main' },
    captions.length
      ? keysLine()
      : emptyState('No caption is like that', 'Take a filter away to see more.'),
    list,
    pager(state, page, num),
  );
}

function side(body, state, found) {
  return el(
    'aside',
    { class: 'caption-side' },
    flagList(state, found),
    lengthCard(state, found),
    exports({
      name: `captions-${state.subset}`,
      rows: () => found.captions.map(savedRow),
      chart: () => body.querySelector('.caption-lengths svg'),
    }),
  );
}

function pager(state, page, num) {
  const last = Math.max(0, Math.ceil(num / SIZE) - 1);
  if (!last) return null;
  // Once reviewed, captions leave this list: the next ones then stand on the same page.
  const isShrinking = state.reviewed === 'no';
  const range = `${count(page * SIZE + 1)} to ${count(Math.min(num, (page + 1) * SIZE))}`;
  return el(
    'div',
    { class: 'row pages', role: 'navigation', 'aria-label': 'Pages of captions' },
    page > 0 && el('a', { href: href({ page: page - 1 || null }) }, '← previous'),
    el('span', { class: 'hint' }, `${range} of ${count(num)}`),
    isShrinking && el('a', { href: href({}) }, 'reload what is left'),
    page < last && el('a', { href: href({ page: page + 1 }) }, 'next →'),
  );
}

function savedRow(caption) {
  const row = Object.fromEntries(SAVED.map((name) => [name, caption[name]]));
  return { ...row, flags: caption.flags.join(' ') };
}
