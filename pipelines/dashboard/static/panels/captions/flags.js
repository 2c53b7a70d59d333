// What the checks found in captions, each with how often.

import { el } from '../../core/dom.js';
import { count, words } from '../../core/format.js';
import { card, hint } from '../../core/parts.js';
import { href } from '../../core/state.js';

/** The flags; each is a link that filters by it, or takes that filter away. */
export function flagList({ flag }, { flags }) {
  return card(
    'Flags',
    flags.length
      ? el(
          'ul',
          { class: 'caption-flags' },
          flags.map((row) => line(row, row.flag === flag)),
        )
      : hint('The checks found nothing wrong with these captions.'),
  );
}

function line({ flag, num, meaning }, isPicked) {
  const link = el(
    'a',
    {
      href: href({ flag: isPicked ? null : flag, page: null }),
      'aria-current': isPicked ? 'true' : null,
      'data-flag': flag,
    },
    words(flag),
  );
  return el('li', {}, link, el('b', {}, count(num)), el('small', {}, meaning));
}
