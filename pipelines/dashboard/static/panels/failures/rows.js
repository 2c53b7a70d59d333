// The rows of a class of failures, to search in and to unfold.

import { el } from '../../core/dom.js';
import { count, duration, words } from '../../core/format.js';
import { pageLinks } from '../../core/pages.js';
import { copyable } from '../../core/parts.js';
import { go, href, panelHref } from '../../core/state.js';

const TYPING_MS = 350;

/** How many rows are asked for at once. */
export const PAGE = 20;

/** The rows of a page, with the links to the others. */
export function failedRows({ num, rows }, page) {
  if (!num) return el('p', {}, 'No row is like that.');
  return [
    el('ul', { class: 'rows' }, rows.map(drawnRow)),
    pageLinks({ page, size: PAGE, num, note: `, ${count(num)} rows` }),
  ];
}

function drawnRow(row) {
  const { key, uri, status, reason, error, reproduce, go_on: goOn } = row;
  const isClip = key !== uri && key !== row.video_id;
  return el(
    'li',
    {},
    el(
      'details',
      {},
      el(
        'summary',
        {},
        el('span', { class: `status ${status}` }, words(reason ?? status)),
        ' ',
        el('code', {}, uri ?? key),
      ),
      isClip && el('p', {}, 'clip ', el('a', { href: panelHref('clip', { clip: key }) }, key)),
      el('p', { class: 'note' }, origin(row)),
      error && el('pre', { class: 'error', tabindex: 0 }, error),
      reproduce && copyable(reproduce),
      goOn && copyable(goOn),
    ),
  );
}

function origin({ source, licence, cpu_s: spent }) {
  const parts = [
    source && `source ${source}`,
    licence && `licence ${licence}`,
    spent !== null && `${duration(spent)} of CPU`,
  ];
  return parts.filter(Boolean).join(' · ');
}

/** A field that searches once typing rests, or at Enter. */
export function searchBox(search) {
  let timer = 0;
  const box = el('input', {
    type: 'search',
    'data-search': true,
    placeholder: 'file, id or error',
    'aria-label': 'search in file, id and error',
    '.value': search ?? '',
  });
  const apply = () => {
    clearTimeout(timer);
    box.classList.remove('busy');
    if (box.isConnected && box.value !== (search ?? ''))
      go(href({ search: box.value || null, page: null }));
  };
  box.addEventListener('input', () => {
    box.classList.add('busy');
    clearTimeout(timer);
    timer = setTimeout(apply, TYPING_MS);
  });
  // Not on `change`: that is also told of a box that is taken off the page.
  box.addEventListener('keydown', (event) => event.key === 'Enter' && apply());
  if (search && document.activeElement === document.body)
    requestAnimationFrame(() => box.focus({ preventScroll: true }));
  return box;
}
