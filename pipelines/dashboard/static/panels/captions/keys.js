// Captions judged by the keyboard, and who judges.

import { el } from '../../core/dom.js';
import { isPlainKey } from '../../core/keys.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** What each key does to a caption. */
const DEEDS = {
  a: (card) => card.judge('accept'),
  r: (card) => card.judge('reject'),
  e: (card) => card.edit(),
  n: (card) => card.noteField(),
  p: (card) => card.play(),
};

/** The reviewer's name, kept in this browser, and the keys. */
export function keysLine() {
  const key = (letter, what) => el('span', {}, el('kbd', {}, letter), ` ${what}`);
  return el(
    'div',
    { class: 'row caption-keys' },
    el('label', {}, 'reviewer ', reviewerField()),
    el(
      'span',
      { class: 'hint row' },
      key('↓ ↑', 'choose'),
      key('a', 'accept'),
      key('r', 'reject'),
      key('e', 'edit'),
      key('n', 'note'),
      key('p', 'play'),
    ),
  );
}

function reviewerField() {
  return el('input', {
    type: 'text',
    maxlength: 100,
    autocomplete: 'name',
    placeholder: 'your name',
    'aria-label': 'Reviewer',
    id: 'reviewer',
    '.value': localStorage.getItem('reviewer') ?? '',
    oninput: (event) => localStorage.setItem('reviewer', event.target.value.trim()),
  });
}

/** Moves to the card that comes `by` after this one; whether there is one. */
export function step(cards, card, by) {
  const next = cards[cards.indexOf(card) + by];
  next?.node.focus();
  next?.node.scrollIntoView({ block: 'nearest', behavior: calm.matches ? 'auto' : 'smooth' });
  return Boolean(next);
}

/** Has keys act on the card that has the focus; call what it returns to end that. */
export function listenToKeys(cards) {
  const listener = (event) => {
    if (!cards.length || !isPlainKey(event)) return;
    const focused = cards.find((card) => card.node.contains(document.activeElement));
    const act = actionOf(event.key, cards, focused);
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.addEventListener('keydown', listener);
  return () => document.removeEventListener('keydown', listener);
}

/** What a key does; where no card has the focus, only arrow keys do anything. */
function actionOf(key, cards, focused) {
  if (key === 'ArrowDown') return () => (focused ? step(cards, focused, 1) : cards[0].node.focus());
  if (key === 'ArrowUp') return () => step(cards, focused ?? cards[0], -1);
  return focused && Object.hasOwn(DEEDS, key) && (() => DEEDS[key](focused));
}
