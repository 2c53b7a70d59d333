// What another decision changed, in a few numbers.

import { el } from '../../core/dom.js';
import { count, hours } from '../../core/format.js';
import { figure } from '../../core/parts.js';
import { ABSENT, ANY_RULE, clipsLink, signed, signedHours } from './counts.js';

/** How much both keep, and how much was lost and gained between them. */
export function comparedFigures({ outcomes: [kept], cells, vanished }) {
  const isRejected = (outcome) => outcome !== 'kept' && outcome !== ABSENT;
  const stayed = sum(cells, ({ was, now }) => was === 'kept' && now === 'kept');
  const lost = sum(cells, ({ was, now }) => was === 'kept' && isRejected(now));
  const gained = sum(cells, ({ was, now }) => isRejected(was) && now === 'kept');
  return el(
    'div',
    { class: 'figures' },
    figure('kept, A → B', `${count(kept.a)} → ${count(kept.b)}`, signed(kept.b - kept.a)),
    figure(
      'hours, A → B',
      `${hours(kept.a_hours)} → ${hours(kept.b_hours)}`,
      signedHours(kept.b_hours - kept.a_hours),
    ),
    figure('kept by both', clipsLink(stayed.num, 'kept', 'kept'), hours(stayed.hours)),
    figure(
      'lost',
      clipsLink(lost.num, 'kept', ANY_RULE),
      `${hours(lost.hours)}, kept in A, rejected in B`,
      { class: `figure${lost.num ? ' warn' : ''}` },
    ),
    figure(
      'gained',
      clipsLink(gained.num, ANY_RULE, 'kept'),
      `${hours(gained.hours)}, rejected in A, kept in B`,
      { class: `figure${gained.num ? ' good' : ''}` },
    ),
    vanishedNote(vanished),
  );
}

function sum(cells, test) {
  const total = { num: 0, hours: 0 };
  for (const cell of cells.filter(test)) {
    total.num += cell.num;
    total.hours += cell.hours;
  }
  return total;
}

function vanishedNote({ a, b }) {
  const num = [...Object.values(a), ...Object.values(b)].reduce((total, one) => total + one, 0);
  if (!num) return null;
  return el(
    'p',
    { class: 'state' },
    `${count(num)} verdicts are on clips that table clips no longer has, because their videos were cut anew since. They are in no figure here.`,
  );
}
