// From one clip to the next: through the list it was opened from, and through its video.

import { el } from '../../core/dom.js';
import { count } from '../../core/format.js';
import { isPlainKey } from '../../core/keys.js';
import { go, panelHref } from '../../core/state.js';
import { placeInList } from './list.js';

/** The list: back to it, and to its clips beside this one. */
export function listSteps(clip, subset) {
  const found = placeInList(clip);
  if (!found) return [el('a', { href: panelHref('examples', { subset }) }, 'Examples')];
  return [
    el('a', { href: found.href }, 'Back to the list'),
    step('‹ previous', found.previous, subset, 'k'),
    el('span', { class: 'note' }, `${count(found.place + 1)} of ${count(found.num)} listed`),
    step('next ›', found.next, subset, 'j'),
  ];
}

/** The clips of the video that come before and after. */
export function videoSteps({ previous, next, place, num }, subset) {
  return el(
    'span',
    { class: 'row' },
    step('‹ earlier', previous, subset, '['),
    el('span', { class: 'note' }, `clip ${count(place + 1)} of ${count(num)} of the video`),
    step('later ›', next, subset, ']'),
  );
}

function step(text, clip, subset, key) {
  if (!clip) return null;
  const to = panelHref('clip', { clip, subset });
  return el('a', { href: to, 'data-key': key, title: `key ${key}` }, text);
}

/** Has the keys of steps that are there take them, until the panel is left. */
export function listenToSteps(steps, signal) {
  const listener = (event) => {
    if (!isPlainKey(event)) return;
    const links = [...steps.querySelectorAll('[data-key]')];
    const link = links.find((one) => one.dataset.key === event.key);
    if (link) go(link.getAttribute('href'));
  };
  document.addEventListener('keydown', listener, { signal });
}
