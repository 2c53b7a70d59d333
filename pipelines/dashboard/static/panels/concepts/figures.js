// How many concepts there are, how even they are, and whether resampling has changed that.

import { el } from '../../core/dom.js';
import { count, number, percent } from '../../core/format.js';
import { figure } from '../../core/parts.js';

/** The figures, with what is to be said where nothing is resampled or concepts are left out. */
export function conceptFigures(found, concepts, subset) {
  const { num_concepts: num, is_weighed: isWeighed, num_left_out: left } = found;
  const arrow = (of) => (isWeighed ? `${of('before')} → ${of('after')}` : of('before'));
  const largest = (name) => percent(Math.max(...concepts.map((one) => one[name])));
  const effective = (name) => number(effectiveNumber(concepts.map((one) => one[name])));
  return [
    el(
      'div',
      { class: 'figures' },
      figure(
        'concepts',
        count(num),
        num < concepts.length ? `of ${count(concepts.length)} in the workspace` : `in ${subset}`,
      ),
      figure(
        'clips in them',
        count(found.num_grouped),
        `of ${count(found.num_clips)} that ${subset} keeps`,
      ),
      figure(
        'largest share',
        arrow(largest),
        isWeighed ? 'before → after resampling' : 'not resampled',
      ),
      figure('as mixed as', arrow(effective), 'concepts of one size', {
        title: 'the exponential of the entropy of the shares',
      }),
    ),
    notResampled(found, subset),
    left > 0 && el('p', { class: 'hint' }, `The ${count(left)} smallest concepts are left out.`),
  ];
}

/** How even shares are: as many of equal size would be as mixed. */
function effectiveNumber(shares) {
  const positive = shares.filter((share) => share > 0);
  return Math.exp(-positive.reduce((sum, share) => sum + share * Math.log(share), 0));
}

function notResampled({ is_resampled: isResampled, is_weighed: isWeighed }, subset) {
  if (isResampled && isWeighed) return null;
  if (isResampled) {
    return el('p', { class: 'hint' }, `${subset} is resampled, and all weights came out as 1.`);
  }
  const how =
    isResampled === null
      ? `The recipe of ${subset} was not kept, so whether it asks for resampling is unknown`
      : `${subset} is not resampled: every clip has weight 1, so before and after are the same`;
  return el(
    'p',
    { class: 'state' },
    `${how}. The target shows what 1/√ of a concept's size would do; `,
    el('code', {}, `subsets.${subset}.resampling: {}`),
    ' in the recipe asks for it.',
  );
}
