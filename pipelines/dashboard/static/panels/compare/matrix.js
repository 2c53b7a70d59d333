// Where clips went: a table from each outcome in A to each in B.

import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count, hours, percent, words } from '../../core/format.js';
import { card, hint, scroller } from '../../core/parts.js';
import { href } from '../../core/state.js';
import { ABSENT } from './counts.js';

/** The table with what it says in words; a cell opens its clips. */
export function transitions({ a, b, outcomes, cells }, wanted) {
  return card(
    'Where clips went',
    hint(summary(cells)),
    scroller('where clips went', matrix(outcomes, cells, wanted)),
    el(
      'p',
      { class: 'legend' },
      el('span', { class: 'gained' }, 'gained'),
      el('span', { class: 'lost' }, 'lost'),
      el('span', { class: 'other' }, 'another reason'),
      el('span', { class: 'same' }, 'unchanged'),
    ),
    exports({ name: `transitions-${a.name}-${b.name}`, rows: () => cells }),
  );
}

const hasMoved = ({ was, now }) => was !== now;
const sum = (cells) => cells.reduce((total, one) => total + one.num, 0);

function summary(cells) {
  const [moved, all] = [sum(cells.filter(hasMoved)), sum(cells)];
  return moved
    ? `From the outcome in A (rows) to that in B (columns): ${count(moved)} of ${count(all)} clips moved, ${percent(moved / all)}. A cell opens its clips.`
    : `All ${count(all)} clips have the same outcome in both.`;
}

function matrix(outcomes, cells, wanted) {
  const names = [...outcomes.map((one) => one.name), ABSENT];
  const rows = names.filter((name) => cells.some((one) => one.was === name));
  const columns = names.filter((name) => cells.some((one) => one.now === name));
  const most = Math.max(...cells.filter(hasMoved).map((one) => one.num), 1);
  const drawn = (was, now) => {
    const cell = cells.find((one) => one.was === was && one.now === now);
    const isPicked = wanted.was === was && wanted.now === now;
    return cell ? drawnCell(cell, most, isPicked) : el('td', { class: 'none' });
  };
  const heads = columns.map((name) => el('th', { scope: 'col' }, words(name)));
  const row = (was) => [
    el('th', { scope: 'row' }, words(was)),
    columns.map((now) => drawn(was, now)),
  ];
  return el(
    'table',
    { class: 'matrix' },
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'A ↓  B →'), heads)),
    el(
      'tbody',
      {},
      rows.map((was) => el('tr', {}, row(was))),
    ),
  );
}

function drawnCell(cell, most, isPicked) {
  const { was, now, num } = cell;
  const share = hasMoved(cell) ? Math.round(12 + 38 * Math.sqrt(num / most)) : 0;
  const link = el(
    'a',
    {
      href: href({ was, now, page: null }),
      'aria-current': isPicked ? 'true' : null,
      title: `${words(was)} → ${words(now)}: ${count(num)} clips, ${hours(cell.hours)}`,
    },
    count(num),
  );
  return el('td', { class: kindOf(cell), style: `--share:${share}%` }, link);
}

function kindOf({ was, now }) {
  if (was === now) return 'same';
  if (now === 'kept') return 'gained';
  return was === 'kept' ? 'lost' : 'other';
}
