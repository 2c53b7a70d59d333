// Clips to look at: kept beside rejected, or all that a filter names, in one of five orders.

import { quoted } from '../../core/commands.js';
import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { emptyState, errorBox } from '../../core/parts.js';
import { note } from '../../core/state.js';
import { Column, filterFor, SIDES, sizeOf } from './column.js';
import { filterOf } from './filter.js';
import { filterBar } from './filter_bar.js';
import { chips } from './filter_chips.js';

const MOST_AT_ONCE = 200;

/** Draws the panel; may return what is to be done when it is left. */
export async function draw(body, { state, overview, signal }) {
  if (!state.subset) {
    replace(
      body,
      emptyState(
        'Nothing has been decided yet',
        'Clips are shown by what became of them in a subset, once a run has selected one.',
        `moviola select movie-gen-256p --workspace ${quoted(overview.workspace)}`,
      ),
    );
    return;
  }
  const filter = filterOf(state);
  const [choices, { measures }] = await Promise.all([
    ask('clips/choices', filter, signal),
    ask('measures', { subset: filter.subset, rule: filter.rule }, signal),
  ]);
  const page = new Page(filter, choices, Number(state.shown) || 0, signal);
  const bar = filterBar(filter, choices, measures, (text) => page.search(text));
  replace(body, bar, page.told, page.place);
  await page.fill();
}

/** What a filter leaves, in one column or two. */
class Page {
  constructor(filter, choices, shown, signal) {
    Object.assign(this, { filter, choices, shown, signal });
    this.told = el('div', { class: 'row chips', 'aria-label': 'Filter' });
    this.place = el('div', { class: 'examples' });
    /** How often it has been filled: an answer that comes after a later one is dropped. */
    this.asked = 0;
  }

  /** Goes on with another text to look for. */
  search(text) {
    if (text) this.filter.text = text;
    else delete this.filter.text;
    this.shown = 0;
    note({ text: text || null, shown: null });
    this.guarded(() => this.fill());
  }

  /** Asks for the first tiles of each column, and puts them into the place of the last. */
  async fill() {
    const asked = (this.asked += 1);
    const { filter } = this;
    const isAlone = filter.verdict || filter.reason || filter.outcome || filter.duplicate_of;
    const sides = isAlone ? [null] : Object.keys(SIDES);
    const found = await Promise.all(sides.map((side) => this.ask(side)));
    if (asked !== this.asked) return;
    replace(this.told, chips(filter, this.choices));
    this.place.classList.toggle('beside', !isAlone);
    if (found.every((one) => !one.num)) {
      replace(this.place, nothing(filter));
      return;
    }
    const columns = sides.map((side, number) => new Column(this, side, found[number]));
    replace(
      this.place,
      columns.map((column) => column.element),
    );
  }

  ask(side) {
    const size = Math.min(MOST_AT_ONCE, Math.max(sizeOf(side), this.shown));
    return ask('clips', { ...filterFor(this.filter, side), size }, this.signal);
  }

  /** Shows what went wrong in an action in the place of the tiles. */
  async guarded(action) {
    try {
      await action();
    } catch (error) {
      if (error.name !== 'AbortError' && !this.signal.aborted) {
        replace(this.place, errorBox(error));
      }
    }
  }
}

function nothing({ text }) {
  return emptyState(
    'No clip is left',
    text
      ? `None with “${text}” in its file name, id or caption passes the filter above.`
      : 'The filter above leaves none: take a part of it away.',
  );
}
