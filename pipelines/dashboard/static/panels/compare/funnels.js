// What became of all clips by either decision, outcome by outcome.

import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count, hours, words } from '../../core/format.js';
import { card, hint, table } from '../../core/parts.js';
import { clipsLink, isSame, signed, signedHours } from './counts.js';

/** A row for each outcome, with both numbers and the change. */
export function comparedFunnels({ a, b, outcomes }) {
  const total = (side) => count(outcomes.reduce((sum, one) => sum + one[side], 0));
  const most = Math.max(...outcomes.map((one) => Math.max(one.a, one.b)), 1);
  return card(
    'Funnel',
    hint(
      `What became of the ${total('a')} clips of A and the ${total('b')} of B. Every number opens its clips.`,
    ),
    table(columns(most), outcomes, { 'aria-label': 'outcomes of both decisions' }),
    exports({ name: `funnel-${a.name}-${b.name}`, rows: () => outcomes }),
  );
}

function columns(most) {
  return [
    { name: 'outcome', of: (one) => words(one.name) },
    { name: el('span', { class: 'unseen' }, 'bars'), of: (one) => twinBars(one, most) },
    { name: 'A', num: true, of: (one) => clipsLink(one.a, one.name, null) },
    { name: 'B', num: true, of: (one) => clipsLink(one.b, null, one.name) },
    { name: 'change', num: true, of: change },
    { name: 'A, time', num: true, of: (one) => hours(one.a_hours) },
    { name: 'B, time', num: true, of: (one) => hours(one.b_hours) },
    { name: 'change', num: true, of: changeOfHours },
  ];
}

const change = ({ a, b }) => (a === b ? '–' : signed(b - a));

function changeOfHours({ a, b, a_hours: before, b_hours: after }) {
  return a === b && isSame(after - before) ? '–' : signedHours(after - before);
}

function twinBars({ name, a, b }, most) {
  const bar = (side, num) => el('i', { class: side, style: `width:${(100 * num) / most}%` });
  return el(
    'span',
    { class: `twin ${name === 'kept' ? 'kept' : ''}`, 'aria-hidden': 'true' },
    bar('a', a),
    bar('b', b),
  );
}
