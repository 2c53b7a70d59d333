// The clips of one way that clips went, from an outcome in A to another in B.

import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { exports, tableLinks } from '../../core/exports.js';
import { count, hours, words } from '../../core/format.js';
import { pageLinks, pageOf } from '../../core/pages.js';
import { href } from '../../core/state.js';
import { tile } from '../../core/tiles.js';
import { ANY_RULE } from './counts.js';

const PAGE = 24;
let scrolled = '';

/** Asks for the clips that the URL names and draws them; without, the section stays hidden. */
export async function drawCell(section, named, wanted, signal) {
  const { was, now } = wanted;
  if (!was && !now) return;
  const page = pageOf(wanted.page);
  const asked = { ...named, was, now };
  const found = await ask('comparison/clips', { ...asked, page, size: PAGE }, signal);
  section.hidden = false;
  replace(
    section,
    head(found, was, now),
    found.num
      ? el('div', { class: 'tiles' }, found.clips.map(moved))
      : el('p', {}, 'No clip went this way.'),
    pageLinks({ page, size: PAGE, num: found.num }),
    exports({ name: 'clips', links: tableLinks('ids', 'comparison/export', asked) }),
  );
  const place = JSON.stringify([asked, page]);
  if (place !== scrolled) requestAnimationFrame(() => section.scrollIntoView({ block: 'start' }));
  scrolled = place;
}

function head({ num, hours: long }, was, now) {
  const said = (name) => (name === ANY_RULE ? 'rejected' : words(name ?? 'anything'));
  return el(
    'div',
    { class: 'row' },
    el('h2', {}, `${said(was)} → ${said(now)}`),
    el('span', { class: 'note' }, `${count(num)} clips, ${hours(long)}`),
    el('a', { class: 'close', href: href({ was: null, now: null, page: null }) }, 'close'),
  );
}

function moved(clip) {
  return el('div', { class: 'moved' }, tile(clip), el('small', {}, `was ${words(clip.was)}`));
}
