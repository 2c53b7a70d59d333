// What changed thresholds would keep, in a few numbers.

import { el } from '../../core/dom.js';
import { count, hours } from '../../core/format.js';
import { figure } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';

/** The figures of a what-if; `rule` are the changes, none where it is as it was decided. */
export function whatIfFigures(found, rule, { name: measure }) {
  const { before, after, outcomes, known, most, again } = found;
  const isChanged = rule.length > 0;
  const range = most > known ? `${count(known)}–${count(most)}` : count(known);
  const outcome = (title, key) => {
    const look = el('a', { href: panelHref('examples', { outcome: key, rule, measure }) }, 'look');
    return figure(title, count(outcomes[key].num), look, { 'data-figure': key });
  };
  return [
    figure('kept as decided', count(before.num), hours(before.hours)),
    figure(isChanged ? 'kept with these thresholds' : 'kept', range, hours(after.hours), {
      'data-figure': 'after',
    }),
    isChanged && [outcome('comes back', 'gained'), outcome('goes', 'lost')],
    outcomes.unknown.num > 0 && outcome('never scored', 'unknown'),
    most > known && likelyKept(found.estimate),
    isChanged && (again.least < known || again.most > most) && onceDecided(again),
  ];
}

/** The rules are not all: a duplicate of what goes may come back, and what comes back be one. */
function onceDecided({ least, most }) {
  const range = least < most ? `${count(least)}–${count(most)}` : count(least);
  const note = 'duplicates, retrieval and reviews judged again';
  return figure('once re-decided', range, note, { 'data-figure': 'again' });
}

/** Of clips that were never scored, audited ones tell how many would be kept. */
function likelyKept(estimate) {
  const attributes = { 'data-figure': 'estimate' };
  if (!estimate) {
    const advice = 'no audited clip tells: raise selection.audit_share';
    return figure('likely kept', '?', advice, attributes);
  }
  const { num, low, high, num_audited: audited } = estimate;
  const range = `${count(low)} to ${count(high)} with 95 %, from ${count(audited)} audited clips`;
  return figure('likely kept', count(num), range, attributes);
}
