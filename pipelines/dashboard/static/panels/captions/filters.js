// Which captions are listed, and in which order.

import { el } from '../../core/dom.js';
import { count, words } from '../../core/format.js';
import { busyInFocus } from '../../core/parts.js';
import { go, href } from '../../core/state.js';

const REVIEWS = {
  no: 'not yet reviewed',
  yes: 'reviewed',
  accept: 'accepted',
  reject: 'rejected',
  edit: 'edited',
  outdated: 'written again since',
};
const ORDERS = {
  flagged: 'flagged first',
  clip: 'by clip',
  shortest: 'shortest',
  longest: 'longest',
  camera: 'camera least sure',
  latest: 'last reviewed',
};

/** The parts of the URL that filter and order captions, besides subset and clip. */
export const FILTERS = ['of', 'captioner', 'flag', 'reviewed', 'words', 'text', 'order'];

/** The controls, with what cannot be picked in them as chips. */
export function captionFilters(state, found) {
  const { flagged, ...orders } = ORDERS;
  return el(
    'div',
    { class: 'row caption-filters' },
    pick(state, 'reviewed', 'review', Object.entries(REVIEWS), 'any'),
    pick(state, 'captioner', 'captioner', captionerOptions(state, found), 'all'),
    pick(state, 'of', 'clips', [['all', 'all clips']], `kept in ${state.subset}`),
    pick(state, 'order', 'order', Object.entries(orders), flagged),
    search(state),
    chips(state),
    clear(state),
  );
}

function pick(state, name, label, options, none) {
  const change = (event) => go(href({ [name]: event.target.value || null, page: null }));
  return el(
    'label',
    {},
    `${label} `,
    el(
      'select',
      { 'data-filter': name, onchange: change },
      el('option', { value: '' }, none),
      options.map(([value, text]) =>
        el('option', { value, selected: state[name] === value }, text),
      ),
    ),
  );
}

/** The captioners with their numbers, with the one that is picked even where it wrote nothing. */
function captionerOptions({ captioner }, { captioners }) {
  const nums = new Map(captioners.map((row) => [row.captioner, row.num]));
  if (captioner && !nums.has(captioner)) nums.set(captioner, 0);
  return [...nums].map(([name, num]) => [name, `${name} (${count(num)})`]);
}

function search({ text }) {
  const field = el('input', {
    type: 'search',
    'data-search': true,
    'aria-label': 'Search in captions',
    placeholder: 'words in a caption  /',
    maxlength: 200,
    '.value': text ?? '',
    ...busyInFocus,
    onchange: () => go(href({ text: field.value.trim() || null, page: null })),
  });
  return field;
}

function chips({ clip, words: length, flag }) {
  const chip = (text) => el('span', { class: 'chip' }, text);
  return [
    clip && chip(`clip ${clip}`),
    length && chip(`${length} words`),
    flag && chip(flag === 'any' ? 'any flag' : words(flag)),
  ];
}

function clear(state) {
  const names = [...FILTERS, 'clip'];
  if (!names.some((name) => state[name] && name !== 'order')) return null;
  const none = Object.fromEntries([...names, 'page'].map((name) => [name, null]));
  return el('a', { href: href(none) }, 'clear filters');
}
