// Long lists, page by page, as `page` of the URL says.

import { el } from './dom.js';
import { count } from './format.js';
import { href } from './state.js';

/** The page that a URL names, from 0. */
export const pageOf = (text) => Math.max(0, Math.floor(Number(text)) || 0);

/** The links to the pages beside this one; null where there is one page. `name` is in the URL. */
export function pageLinks({ page, size, num, name = 'page', note = '' }) {
  const last = Math.ceil(num / size) - 1;
  if (last <= 0) return null;
  return el(
    'div',
    { class: 'row' },
    page > 0 && el('a', { href: href({ [name]: page - 1 || null }) }, '← before'),
    el('span', { class: 'note' }, `page ${count(page + 1)} of ${count(last + 1)}${note}`),
    page < last && el('a', { href: href({ [name]: page + 1 }) }, 'next →'),
  );
}
