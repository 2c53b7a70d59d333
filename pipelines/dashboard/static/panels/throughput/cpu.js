// Where CPU time went: by stage and status, by source, and the videos that took longest.

import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count, duration, hours, words } from '../../core/format.js';
import { table } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';
import { card } from '../../core/cards.js';

const STATUS_COLUMNS = [
  { name: 'stage', of: (row) => row.stage },
  { name: 'status', of: statusOf },
  { name: 'rows', num: true, of: (row) => count(row.num) },
  {
    name: 'CPU per row',
    num: true,
    of: (row) => (row.num_timed ? duration(row.cpu_s / row.num_timed) : '–'),
  },
  { name: 'most', num: true, of: (row) => duration(row.most_s) },
];

const SOURCE_COLUMNS = [
  { name: 'source', of: (row) => row.source ?? el('i', {}, 'not stated') },
  { name: 'files', num: true, of: (row) => count(row.num_files) },
  { name: 'failed', num: true, of: failedOf },
  { name: 'video', num: true, of: (row) => hours(row.hours) },
  { name: 'CPU time', num: true, of: (row) => hours(row.cpu_s / 3600) },
];

const VIDEO_COLUMNS = [
  { name: 'file', of: fileOf },
  { name: 'CPU time', num: true, of: (row) => duration(row.cpu_s) },
  {
    name: 'CPU per second of video',
    num: true,
    of: (row) => (row.cpu_per_s === null ? '–' : duration(row.cpu_per_s)),
  },
  { name: 'length', num: true, of: (row) => duration(row.decoded_s) },
  { name: 'size', num: true, of: (row) => (row.width ? `${row.width}×${row.height}` : '–') },
  { name: 'codec', of: (row) => row.codec ?? '–' },
  { name: 'clips', num: true, of: (row) => (row.num_clips === null ? '–' : count(row.num_clips)) },
  {
    name: 'status',
    of: (row) => (row.status === 'ok' ? 'ok' : `${row.status}: ${words(row.reason ?? '')}`),
  },
];

/** CPU time of a row by stage and status. */
export function statusCard({ stages }) {
  return card(
    'CPU time per row',
    table(STATUS_COLUMNS, stages, { 'aria-label': 'CPU time per row by stage and status' }),
    exports({ name: 'cpu-by-status', rows: () => stages }),
  );
}

/** The sources that took most. */
export function sourcesCard({ sources }) {
  return card(
    'Dearest sources',
    table(SOURCE_COLUMNS, sources, { 'aria-label': 'Sources by CPU time' }),
    exports({ name: 'sources', rows: () => sources }),
  );
}

/** The videos that took most, if any are known. */
export function slowestCard({ slowest }) {
  if (!slowest.length) return null;
  return card(
    'Slowest videos',
    table(VIDEO_COLUMNS, slowest, { 'aria-label': 'Slowest videos' }),
    exports({ name: 'slowest-videos', rows: () => slowest }),
  );
}

function statusOf({ stage, status }) {
  if (status !== 'failed') return status ?? '–';
  return el('a', { href: panelHref('failures', { stage }) }, status);
}

function failedOf(row) {
  const num = row.num_failed + row.num_passes_failed;
  return num ? el('a', { href: panelHref('failures') }, count(num)) : '0';
}

function fileOf({ uri, video_id: video }) {
  const href = panelHref('examples', { video, order: 'time' });
  return el('a', { href, title: uri }, uri?.split('/').at(-1) ?? video);
}
