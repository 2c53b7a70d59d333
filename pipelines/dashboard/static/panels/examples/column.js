// One column of clips: its head, its tiles, and the button for more of them.

import { address, ask } from '../../core/api.js';
import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count, hours, words } from '../../core/format.js';
import { href, note } from '../../core/state.js';
import { tile } from '../../core/tiles.js';
import { rememberList } from '../clip/list.js';
import { arrowKeys } from '../../core/tile_keys.js';

const BESIDE = 24;
const ALONE = 48;
const OUTCOMES = {
  gained: 'Comes back',
  lost: 'Goes',
  unknown: 'Never scored',
  kept: 'Stays kept',
};
const EXPORTS = { csv: 'ids as CSV', parquet: 'ids as Parquet' };

/** The columns that stand beside each other, by verdict. */
export const SIDES = { kept: 'Kept', rejected: 'Rejected' };

/** The tiles that a column asks for at once; a column beside another has a side. */
export const sizeOf = (side) => (side ? BESIDE : ALONE);

/** The filter of a column. */
export const filterFor = (filter, side) => (side ? { ...filter, verdict: side } : filter);

/** A column of what a filter leaves: of one verdict, or of all where `side` is null. */
export class Column {
  constructor(page, side, found) {
    Object.assign(this, { page, side, num: found.num, clips: [] });
    this.filter = filterFor(page.filter, side);
    this.title = side ? SIDES[side] : titleOf(page.filter);
    this.grid = el('div', {
      class: 'tiles',
      onclick: (event) =>
        event.target.closest('.tile') && rememberList(this.clips.map((clip) => clip.clip_id)),
    });
    arrowKeys(this.grid);
    const onclick = () => page.guarded(() => this.next());
    this.more = el('button', { type: 'button', onclick });
    this.element = el(
      'section',
      { 'aria-label': this.title, 'data-side': side ?? 'all' },
      this.head(found),
      this.grid,
      found.num ? this.more : nothing(side),
    );
    this.add(found);
  }

  head({ num, hours: long }) {
    const { side, title } = this;
    const alone = href({ verdict: side, shown: null });
    const links = Object.entries(EXPORTS).map(([format, label]) => [
      label,
      address('clips/export', { ...this.filter, format }),
    ]);
    return el(
      'div',
      { class: 'row line' },
      el('h2', {}, side && num ? el('a', { href: alone }, title) : title),
      el('span', { class: 'note' }, el('b', {}, count(num)), ` clips, ${hours(long)}`),
      exports({ name: `clips-${this.filter.subset}`, links }),
    );
  }

  add(found) {
    this.clips.push(...found.clips);
    const tiles = found.clips.map((clip) =>
      named(tile(clip, { measure: found.measure, subset: this.filter.subset }), clip),
    );
    this.grid.append(...tiles);
    const left = this.num - this.clips.length;
    this.more.hidden = left <= 0;
    this.more.textContent = `${count(Math.min(left, sizeOf(this.side)))} more of ${count(left)}`;
    return tiles;
  }

  async next() {
    this.more.disabled = true;
    try {
      // Whole pages of this column's size: more may have been shown at once than one has.
      const size = sizeOf(this.side);
      const page = Math.floor(this.clips.length / size);
      const found = await ask('clips', { ...this.filter, page, size }, this.page.signal);
      const known = new Set(this.clips.map((clip) => clip.clip_id));
      const clips = found.clips.filter((clip) => !known.has(clip.clip_id));
      const [first] = this.add({ ...found, clips });
      first?.focus({ preventScroll: true });
      this.page.shown = Math.max(this.page.shown, this.clips.length);
      note({ shown: this.page.shown });
    } finally {
      this.more.disabled = false;
    }
  }
}

function nothing(side) {
  const what = side === 'kept' ? 'kept' : 'rejected';
  return el('p', { class: 'state' }, `Nothing that is ${what} passes the filter.`);
}

function titleOf({ verdict, reason, outcome, duplicate_of: kept }) {
  if (outcome) return OUTCOMES[outcome] ?? outcome;
  if (reason) return `Rejected by ${words(reason)}`;
  if (kept) return 'Rejected as duplicates';
  return SIDES[verdict] ?? 'Clips';
}

/** A tile that a screen reader and the pointer can tell from the others. */
function named(link, clip) {
  const file = clip.uri?.split('/').at(-1) ?? '';
  link.append(el('span', { class: 'unseen' }, `, clip ${clip.clip_id} of ${file}`));
  link.title = [file, clip.caption].filter(Boolean).join('\n');
  return link;
}
