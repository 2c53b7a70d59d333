// Clips at a threshold: those that come back and go, or those on both sides of it.

import { ask } from '../../core/api.js';
import { el } from '../../core/dom.js';
import { count, words } from '../../core/format.js';
import { hint } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';
import { tile } from '../../core/tiles.js';

const SIZE = 8;

const CHANGED = [
  { title: 'Comes back', filter: { outcome: 'gained' } },
  { title: 'Goes', filter: { outcome: 'lost' } },
  { title: 'Never scored', filter: { outcome: 'unknown' } },
];

const unchanged = (reason) => [
  { title: 'Kept, nearest to the threshold', filter: { verdict: 'kept' } },
  { title: 'Rejected, nearest to it', filter: { verdict: 'rejected', reason } },
];

/** Asks for the clips by a measure; `rule` are the changes. */
export async function thresholdClips(subset, rule, { name: measure, rule: own }, signal) {
  const isChanged = rule.length > 0;
  const asked = { subset, rule, measure, order: 'near', size: SIZE };
  const sets = await Promise.all(
    (isChanged ? CHANGED : unchanged(own?.name)).map(async ({ title, filter }) => ({
      title,
      found: await ask('clips', { ...asked, ...filter }, signal),
      all: panelHref('examples', { ...filter, measure, rule }),
    })),
  );
  const shown = isChanged ? sets.filter((set) => set.found.num) : sets;
  return [
    el('h2', {}, `By ${words(measure)}`),
    shown.map(({ title, found, all }) => [
      el(
        'p',
        { class: 'row' },
        el('b', {}, title),
        el('a', { href: all }, `${count(found.num)} clips`),
      ),
      el(
        'div',
        { class: 'tiles small' },
        found.clips.map((clip) => tile(clip, { measure, subset })),
      ),
    ]),
    !shown.length && hint('The same clips are kept as before.'),
  ];
}
