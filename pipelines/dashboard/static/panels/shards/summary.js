// How many samples there are, and what became of the rows that are none.

import { el } from '../../core/dom.js';
import { bytes, count, duration, hours, percent, words } from '../../core/format.js';
import { figure } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';
import { card } from '../../core/cards.js';

/** The samples in figures. */
export function summary({ subset, totals, table, version, ...files }) {
  const { samples, rows, video_bytes: size } = totals;
  const kept = panelHref('examples', { subset, verdict: 'kept' });
  return el(
    'div',
    { class: 'figures' },
    figure('samples', el('a', { href: kept }, count(samples)), `of ${count(rows)} rows`),
    figure('video', hours(totals.hours), `${bytes(size)} of clips`),
    figure('files', count(files.num_files), `${bytes(files.size_bytes)}, version ${version}`),
    figure(
      'per sample',
      samples ? bytes(size / samples) : '–',
      samples ? duration((3600 * totals.hours) / samples) : null,
    ),
    figure(
      'with a caption',
      samples ? percent(totals.captioned / samples) : '–',
      `of ${count(samples)}`,
    ),
    restFigure(rows - samples, table),
    staleFigure(files.stale),
  );
}

function restFigure(num, stage) {
  const attributes = { class: `figure${num ? ' warn' : ''}` };
  if (!num) return figure('without a sample', '0', 'every row is one', attributes);
  const link = el('a', { href: panelHref('failures', { stage }) }, count(num));
  return figure('without a sample', link, 'rejected or failed', attributes);
}

function staleFigure(num) {
  const note = num
    ? 'of clips that the subset no longer keeps: curate takes them out'
    : 'all are of kept clips';
  return figure('no longer kept', count(num), note, { class: `figure${num ? ' warn' : ''}` });
}

/** Why rows are no samples; null where all are. */
export function outcomeCard({ outcomes, table }) {
  const others = outcomes.filter((one) => one.status !== 'ok');
  if (!others.length) return null;
  return card(
    'Rows without a sample',
    el(
      'ul',
      { class: 'reasons' },
      others.map((one) => outcome(one, table)),
    ),
  );
}

function outcome({ status, reason, num }, stage) {
  const rows = panelHref('failures', { stage, why: reason });
  return el(
    'li',
    { class: status },
    el('a', { href: rows }, `${status}: ${words(reason ?? '')}`),
    ' ',
    el('b', {}, count(num)),
  );
}
