// Cards of the panels about runs.

import { el } from './dom.js';

/** A card. Its heading is text, or a row with a heading in it. */
export function card(heading, ...children) {
  return el(
    'section',
    { class: 'card roomy' },
    typeof heading === 'string' ? el('h2', {}, heading) : heading,
    children,
  );
}

/** A heading with what stands beside it. */
export const headed = (title, ...beside) =>
  el('div', { class: 'row' }, el('h2', {}, title), beside);
