// What is known of all captions of a subset, and what became of those that people judged.

import { el } from '../../core/dom.js';
import { count, percent } from '../../core/format.js';
import { figure, hint } from '../../core/parts.js';
import { href, panelHref } from '../../core/state.js';

/** The figures; `counts` are the captions by verdict, as they are now. */
export function captionFigures(found, counts) {
  const { num, num_clips: numClips, num_failed: numFailed, flags } = found;
  const total = sum(Object.values(counts));
  const done = counts.accept + counts.reject + counts.edit;
  const flagged = sum(flags.map((one) => one.num));
  return [
    figure('captions', count(num), `of ${count(numClips)} ${numClips === 1 ? 'clip' : 'clips'}`, {
      id: 'caption-count',
    }),
    figure(
      'reviewed',
      reviewed('yes', done),
      `${percent(total ? done / total : 0)} of ${count(total)}`,
      { id: 'reviewed-count' },
    ),
    ...verdicts(counts),
    figure(
      'flags',
      flagged ? el('a', { href: href({ flag: 'any', page: null }) }, count(flagged)) : '0',
      'raised by the checks',
    ),
    numFailed > 0 && failed(numFailed),
  ];
}

function verdicts({ accept, edit, reject, outdated }) {
  return [
    figure('accepted', reviewed('accept', accept), 'as they are', { class: 'figure good' }),
    figure('edited', reviewed('edit', edit), 'other words instead'),
    figure('rejected', reviewed('reject', reject), 'by a person', {
      class: `figure${reject ? ' warn' : ''}`,
    }),
    outdated > 0 && figure('outdated', reviewed('outdated', outdated), 'written again since'),
  ];
}

function failed(num) {
  const why = el('a', { href: panelHref('failures', { stage: 'captions' }) }, count(num));
  return figure('failed', why, 'no caption was made', { class: 'figure bad' });
}

function reviewed(name, num) {
  if (!num) return count(num);
  return el('a', { href: href({ reviewed: name, page: null }) }, count(num));
}

const sum = (nums) => nums.reduce((total, one) => total + one, 0);

/** What the verdicts do to the subset's samples. */
export function effectOfReviews({ caption_reviews: effect }, subset) {
  if (effect === 'required')
    return hint(`${subset} trains only on captions that a person accepted or edited.`);
  if (effect === 'apply')
    return hint(
      `${subset} takes no rejected caption, and edits in place of what was written, from the next run on.`,
    );
  const setting = (value) => el('code', {}, `subsets.${subset}.caption_reviews: ${value}`);
  return hint(
    `Verdicts are kept, and change nothing in the samples of ${subset} until its recipe says `,
    setting('apply'),
    ' or ',
    setting('required'),
    '.',
  );
}
