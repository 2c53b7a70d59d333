// How many duplicates there are under the thresholds, and what other thresholds can tell.

import { quoted } from '../../core/commands.js';
import { el } from '../../core/dom.js';
import { count, number } from '../../core/format.js';
import { copyable, figure } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';

/** What was found, and what of it is free under the thresholds. */
export function foundFigures(found, subset) {
  const examples = (reason, num) =>
    el('a', { href: panelHref('examples', { subset, reason }) }, count(num));
  const { num, num_freed: freed, num_unscored: unscored } = found;
  return [
    figure('duplicates', examples('duplicate', num), `in ${count(found.num_groups)} groups`),
    figure('no longer near', count(freed), 'the clip kept in their place', {
      id: 'freed',
      class: `figure${freed ? ' warn' : ''}`,
    }),
    figure('still near', count(num - freed), 'and so still duplicates of it'),
    figure(
      'groups that shrink',
      count(found.num_shrunk),
      `${count(found.num_dissolved)} of them dissolve`,
    ),
    unscored > 0 &&
      figure('not compared', examples('duplicate:unscored', unscored), 'no copy embedding'),
  ];
}

/** Why no threshold is looser than that of the recipe, and what to do for one. */
export function looserNote(settings, workspace) {
  if (!settings) {
    return el(
      'p',
      { class: 'state' },
      'The recipe was not kept, so the thresholds that found these are unknown.',
    );
  }
  const { threshold, same_video_threshold: within } = settings;
  const looser = number(Math.max(0.01, threshold - 0.05));
  return el(
    'details',
    { class: 'card' },
    el(
      'summary',
      {},
      `Stricter thresholds are counted exactly; looser than the recipe’s ${number(threshold)} cannot be told from what is stored`,
    ),
    el(
      'p',
      {},
      'Stricter: exact. A duplicate less alike than the threshold is no longer a duplicate of the clip that was kept in its place. Whether it is kept then is decided anew: it may be near another kept or freed clip, and a clip kept now may give way to a better one that is freed. Groups can split.',
    ),
    el(
      'p',
      {},
      `Looser than ${number(threshold)} (${number(within)} within one video): not known. Pairs that are less alike were not stored, so the sliders end there. Deciding again takes no decoding:`,
    ),
    copyable(
      `moviola select RECIPE --workspace ${quoted(workspace)} --set selection.duplicates.threshold=${looser}`,
    ),
  );
}
