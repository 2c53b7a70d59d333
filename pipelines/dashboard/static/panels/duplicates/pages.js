// Pages of groups, the largest first.

import { el } from '../../core/dom.js';
import { count } from '../../core/format.js';
import { href } from '../../core/state.js';

/** Links to the pages beside this one; null where there is only one. */
export function pager(page, num, size) {
  const last = Math.max(0, Math.ceil(num / size) - 1);
  if (!last) return null;
  const step = (to, label) =>
    el(
      'a',
      { href: href({ page: to || null }), 'aria-disabled': to < 0 || to > last ? 'true' : null },
      label,
    );
  const from = page * size + 1;
  const to = Math.min(num, (page + 1) * size);
  return el(
    'div',
    { class: 'row pages', role: 'navigation', 'aria-label': 'Pages of groups' },
    page > 0 && step(page - 1, '← larger'),
    el('span', { class: 'hint' }, `groups ${count(from)} to ${count(to)} of ${count(num)}`),
    page < last && step(page + 1, 'smaller →'),
  );
}
