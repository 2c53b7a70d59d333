// What models saw in one clip.

import { el } from '../../core/dom.js';
import { number } from '../../core/format.js';
import { hint } from '../../core/parts.js';

/** Concepts, attributes and text, each with its score. */
export function seenByModels(scores) {
  const { concept_labels: labels, attributes, text_lines: lines, models, status } = scores;
  if (!models && !status)
    return hint(
      'No model has looked at it: a rule on measures rejected it first, or scoring is off.',
    );
  if (status !== 'ok')
    return el('p', {}, `${status}: ${scores.reason ?? ''} ${scores.error ?? ''}`);
  return [
    labels?.length > 0 &&
      el(
        'p',
        {},
        scored(labels, (one) => one.label, ', '),
      ),
    attributes?.length > 0 &&
      el(
        'p',
        {},
        scored(attributes, (one) => `${one.kind}: ${one.value}`, ', '),
      ),
    lines?.length > 0 &&
      el(
        'p',
        {},
        'text: ',
        scored(lines, (one) => el('q', {}, one.text), ' / '),
      ),
    el('p', { class: 'note' }, `by ${models.join(', ')}`),
  ];
}

function scored(found, shown, between) {
  return found.map((one, index) => [
    index ? between : '',
    shown(one),
    el('small', {}, ` ${number(one.score)}`),
  ]);
}
