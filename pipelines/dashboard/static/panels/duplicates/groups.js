// Groups of duplicates: the clip that was kept, and those that it stands for.

import { el } from '../../core/dom.js';
import { count } from '../../core/format.js';
import { panelHref } from '../../core/state.js';
import { elsewhereCard, fileOf, keptCard, memberCard } from './clip.js';
import { playedTogether } from '../examples/together.js';

/** The groups of a page. Gives `{ node, mark(asked, settings), leave }`. */
export function groupList(groups) {
  const shown = groups.map(shownGroup);
  return {
    node: el(
      'div',
      { class: 'dup-groups' },
      shown.map((group) => group.node),
    ),
    mark: (asked, settings) => {
      for (const { node } of shown) mark(node, asked, settings);
    },
    leave: () => {
      for (const group of shown) group.leave();
    },
  };
}

function shownGroup({ duplicate_of: id, kept, members, num, num_freed: freed }) {
  const examples = panelHref('examples', { duplicate_of: id, reason: 'duplicate' });
  const first = kept ? keptCard(kept) : elsewhereCard(id);
  const cards = [first, ...members.map((member) => memberCard(member, kept))];
  const frames = cards.map((card) => card.played).filter(Boolean);
  const tiles = el(
    'div',
    { class: 'dup-tiles' },
    cards.map((card) => card.node),
    num > members.length &&
      el('a', { class: 'more', href: examples }, `and ${count(num - members.length)} more`),
  );
  const { button, leave } = playedTogether(tiles, frames);
  const node = el(
    'section',
    { class: 'card dup-group', 'data-group': id },
    el(
      'div',
      { class: 'row' },
      el('h2', {}, kept ? fileOf(kept.uri) : id),
      el('a', { href: examples }, `${count(num)} ${num === 1 ? 'duplicate' : 'duplicates'}`),
      el('span', { class: 'hint shrunk' }, freedText(freed)),
      frames.length > 1 && button,
    ),
    tiles,
  );
  return { node, leave };
}

const freedText = (num) => (num ? `${count(num)} no longer near` : '');

/** Marks what is freed under other thresholds, without asking for the clips again. */
function mark(group, asked, settings) {
  let num = 0;
  for (const clip of group.querySelectorAll('[data-cosine]')) {
    const param = clip.dataset.same === 'true' ? 'same_video_threshold' : 'threshold';
    const isFreed = Number(clip.dataset.cosine) < Number(asked[param] ?? settings?.[param] ?? 0);
    clip.querySelector('.freed').classList.toggle('off', !isFreed);
    num += isFreed;
  }
  group.querySelector('.shrunk').textContent = freedText(num);
}
