// Which rule rejects how many clips first, as decided and with changed thresholds.

import { el } from '../../core/dom.js';
import { count, words } from '../../core/format.js';
import { panelHref } from '../../core/state.js';

/** A line for each reason; `rule` are the changes. */
export function firstReasons(reasons, rule) {
  const widest = Math.max(1, ...reasons.flatMap((row) => [row.num, row.num_before]));
  return [
    el('h2', {}, 'Rejected first by'),
    el(
      'ul',
      { class: 'before-after' },
      reasons.map((row) => line(row, rule, widest)),
    ),
  ];
}

function line({ reason, num, num_before: before }, rule, widest) {
  const bar = (name, value) => el('i', { class: name, style: `width:${(100 * value) / widest}%` });
  const name = reason === 'unknown' ? 'never scored' : words(reason);
  const isChanged = rule.length > 0 && num !== before;
  return el(
    'li',
    { 'data-reason': reason },
    el('a', { href: panelHref('examples', clipsBehind(reason, rule)) }, name),
    el('span', { class: 'bars' }, bar('then', before), bar('now', num)),
    el('span', { class: 'num' }, isChanged ? `${count(before)} → ${count(num)}` : count(num)),
  );
}

/** The clips of a reason, as the subset was decided; of those never scored, under the changes. */
function clipsBehind(reason, rule) {
  if (reason === 'unknown') return { outcome: 'unknown', rule };
  return { verdict: 'rejected', reason: reason === 'bucket' ? null : reason, rule };
}
