// Clips to look at: kept beside rejected, or all that a filter names, in one of five orders.

import { address, ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { count, hours, words } from '../core/format.js';
import { emptyState, errorBox, exports, tile } from '../core/parts.js';
import { href, note } from '../core/state.js';
import { rememberList } from './clip_list.js';
import { chips, filterBar, filterOf } from './filter_bar.js';
import { arrowKeys } from './tile_keys.js';

const BESIDE = 24;
const ALONE = 48;
const MOST_AT_ONCE = 200;
const SIDES = { kept: 'Kept', rejected: 'Rejected' };

async function draw(body, { state: wanted, overview, signal }) {
  if (!wanted.subset) {
    replace(body, emptyState('Nothing has been decided yet', 'Clips are shown by what became of them in a subset, once a run has selected one.',
      `moviola select movie-gen-256p --workspace '${overview.workspace}'`));
    return;
  }
  const filter = filterOf(wanted);
  const [choices, { measures }] = await Promise.all([
    ask('clips/choices', filter, signal), ask('measures', { subset: filter.subset, rule: filter.rule }, signal)]);
  const told = el('div', { class: 'row chips', 'aria-label': 'Filter' });
  const place = el('div', { class: 'examples' });
  const page = { filter, place, told, choices, signal, shown: Number(wanted.shown) || 0, asked: 0 };
  const onText = (text) => {
    if (text) filter.text = text;
    else delete filter.text;
    page.shown = 0;
    note({ text: text || null, shown: null });
    guarded(page, () => fill(page));
  };
  replace(body, filterBar(filter, choices, measures, onText), told, place);
  await fill(page);
}

/** Asks for the first tiles of each column, and puts them into the place of the last. */
async function fill(page) {
  const asked = (page.asked += 1);
  const { filter } = page;
  const isAlone = filter.verdict || filter.reason || filter.outcome || filter.duplicate_of;
  const size = Math.min(MOST_AT_ONCE, Math.max(isAlone ? ALONE : BESIDE, page.shown));
  const sides = isAlone ? [null] : Object.keys(SIDES);
  const found = await Promise.all(sides.map((side) => ask('clips', { ...filterFor(filter, side), size }, page.signal)));
  if (asked !== page.asked) return;
  replace(page.told, chips(filter, page.choices));
  page.place.classList.toggle('beside', !isAlone);
  if (found.every((one) => !one.num)) {
    replace(page.place, nothing(filter));
    return;
  }
  const columns = sides.map((side, number) => new Column(page, side, found[number]));
  replace(page.place, columns.map((column) => column.element));
}

const filterFor = (filter, side) => (side ? { ...filter, verdict: side } : filter);

function nothing(filter) {
  const state = emptyState('No clip is left', filter.text
    ? `None with “${filter.text}” in its file name, id or caption passes the filter above.` : 'The filter above leaves none: take a part of it away.');
  return state;
}

async function guarded(page, action) {
  try {
    await action();
  } catch (error) {
    if (error.name !== 'AbortError' && !page.signal.aborted) replace(page.place, errorBox(error));
  }
}

class Column {
  constructor(page, side, found) {
    Object.assign(this, { page, side, num: found.num, clips: [] });
    this.filter = filterFor(page.filter, side);
    this.size = side ? BESIDE : ALONE;
    this.grid = el('div', { class: 'tiles', onclick: (event) => event.target.closest('.tile') && rememberList(this.clips.map((clip) => clip.clip_id)) });
    arrowKeys(this.grid);
    this.more = el('button', { type: 'button', onclick: () => guarded(page, () => this.next()) });
    const title = side ? SIDES[side] : titleOf(page.filter);
    const link = (format) => [format === 'csv' ? 'ids as CSV' : 'ids as Parquet', address('clips/export', { ...this.filter, format })];
    this.element = el('section', { 'aria-label': title, 'data-side': side ?? 'all' },
      el('div', { class: 'row line' },
        el('h2', {}, side && found.num ? el('a', { href: href({ verdict: side, shown: null }) }, title) : title),
        el('span', { class: 'note' }, el('b', {}, count(found.num)), ` clips, ${hours(found.hours)}`),
        exports({ name: `clips-${page.filter.subset}`, links: [link('csv'), link('parquet')] })),
      this.grid, found.num ? this.more : el('p', { class: 'state' }, side === 'kept' ? 'Nothing that is kept passes the filter.' : 'Nothing that is rejected passes the filter.'));
    this.add(found);
  }

  add(found) {
    this.clips.push(...found.clips);
    const tiles = found.clips.map((clip) => named(tile(clip, { measure: found.measure, subset: this.filter.subset }), clip));
    this.grid.append(...tiles);
    const left = this.num - this.clips.length;
    this.more.hidden = left <= 0;
    this.more.textContent = `${count(Math.min(left, this.size))} more of ${count(left)}`;
    return tiles;
  }

  async next() {
    this.more.disabled = true;
    try {
      // Whole pages of this column's size: more may have been shown at once than one has.
      const page = Math.floor(this.clips.length / this.size);
      const found = await ask('clips', { ...this.filter, page, size: this.size }, this.page.signal);
      const known = new Set(this.clips.map((clip) => clip.clip_id));
      const [first] = this.add({ ...found, clips: found.clips.filter((clip) => !known.has(clip.clip_id)) });
      first?.focus({ preventScroll: true });
      this.page.shown = Math.max(this.page.shown, this.clips.length);
      note({ shown: this.page.shown });
    } finally {
      this.more.disabled = false;
    }
  }
}

function titleOf({ verdict, reason, outcome, duplicate_of: kept }) {
  if (outcome) return { gained: 'Comes back', lost: 'Goes', unknown: 'Never scored', kept: 'Stays kept' }[outcome] ?? outcome;
  if (reason) return `Rejected by ${words(reason)}`;
  if (kept) return 'Rejected as duplicates';
  return SIDES[verdict] ?? 'Clips';
}

/** A tile that a screen reader and the pointer can tell from the others. */
function named(link, clip) {
  const file = clip.uri?.split('/').at(-1) ?? '';
  const verdict = clip.verdict === 'ok' ? 'kept' : `rejected by ${words(clip.reason ?? clip.verdict)}`;
  link.setAttribute('aria-label', `${file}, clip ${clip.clip_id}, ${verdict}`);
  link.title = [file, clip.caption].filter(Boolean).join('\n');
  return link;
}

export default {
  id: 'examples',
  title: 'Examples',
  hint: 'Clips by what became of them, those nearest to a threshold first. Arrow keys move, Enter opens.',
  draw,
};
