// The columns of the table of concepts.

import { el } from '../../core/dom.js';
import { count, number, percent } from '../../core/format.js';
import { examplesOf } from './picked.js';

/** The columns; `isPicked(id)` and `toggle(id, isOn)` are of the boxes in the first one. */
export function conceptColumns(found, concepts, { subset, isPicked, toggle }) {
  const shares = concepts.flatMap((one) => [one.before, one.after, one.target_share ?? 0]);
  const most = shares.reduce((largest, share) => Math.max(largest, share), 1e-9);
  return [
    {
      name: el('span', { class: 'unseen' }, 'picked'),
      of: (one) => pickBox(one, isPicked(one.concept_id), toggle),
    },
    { name: 'concept', of: (one) => nameOf(one, subset) },
    { name: 'clips', num: true, of: (one) => count(one.num) },
    { name: 'share before → after', of: (one) => dumbbell(one, most) },
    { name: 'before', num: true, of: (one) => percent(one.share) },
    { name: 'after', num: true, of: (one) => percent(one.resampled_share) },
    { name: 'target', num: true, of: (one) => percent(one.target_share) },
    { name: 'weight', num: true, of: (one) => number(one.weight) },
    { name: byExponent(found), num: true, of: (one) => number(one.target_weight) },
  ];
}

/** What weights are by: `1/√size`. */
export const byExponent = ({ exponent }) =>
  exponent === 0.5 ? '1/√size' : `1/size^${number(exponent)}`;

function pickBox({ name, concept_id: id }, isPicked, toggle) {
  return el('input', {
    type: 'checkbox',
    'aria-label': `select ${name}`,
    '.checked': isPicked,
    value: id,
    onchange: (event) => toggle(id, event.target.checked),
  });
}

function nameOf({ name, num, concept_id: id }, subset) {
  return num ? el('a', { href: examplesOf(subset, [id]), 'data-concept': id }, name) : name;
}

/** The shares before and after as dots on a line, with a tick at the target. */
function dumbbell({ before, after, target_share: target, num }, most) {
  const part = (share) => (100 * share) / most;
  const at = (share) => `left:${part(share)}%`;
  const low = Math.min(before, after);
  const width = part(Math.max(before, after) - low);
  return el(
    'div',
    { class: 'dumbbell', 'aria-hidden': 'true' },
    el('i', { class: 'line', style: `left:${part(low)}%;width:${width}%` }),
    target !== null && el('i', { class: 'tick', style: at(target) }),
    num > 0 && el('i', { class: 'dot before', style: at(before) }),
    num > 0 && el('i', { class: 'dot after', style: at(after) }),
  );
}
