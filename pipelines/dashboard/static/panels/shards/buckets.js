// The samples by bucket, which is what training draws them by.

import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { bytes, count, hours, number, percent } from '../../core/format.js';
import { hint, table } from '../../core/parts.js';
import { card } from '../../core/cards.js';

/** The buckets with their shapes and shares. */
export function bucketCard({ subset, buckets, totals }) {
  return card(
    'Buckets',
    buckets.length
      ? table(columns(buckets, totals.samples), buckets, { 'aria-label': 'Buckets' })
      : hint('No row is a sample.'),
    hint('All samples of a bucket have one shape. Weight is the sum of what training draws by.'),
    exports({ name: `${subset}-buckets`, rows: () => buckets }),
  );
}

function columns(buckets, whole) {
  const most = Math.max(1, ...buckets.map((one) => one.num));
  return [
    { name: 'bucket', of: (row) => el('span', { class: 'nowrap' }, row.bucket) },
    {
      name: el('span', { class: 'unseen' }, 'share'),
      of: (row) => meter(row.num / whole, (100 * row.num) / most),
    },
    { name: 'samples', num: true, of: (row) => count(row.num) },
    { name: 'share', num: true, of: (row) => percent(row.num / whole) },
    { name: 'px', num: true, of: (row) => `${row.width}×${row.height}` },
    { name: 'frames', num: true, of: (row) => count(row.num_frames) },
    { name: 'video', num: true, of: (row) => hours(row.hours) },
    { name: 'size', num: true, of: (row) => bytes(row.size_bytes) },
    { name: 'weight', num: true, of: (row) => number(row.weight) },
  ];
}

/** A bar of a width in percent of its place. */
function meter(share, width) {
  return el(
    'span',
    { class: 'meter', role: 'img', 'aria-label': percent(share) },
    el('span', { style: `width:${width}%` }),
  );
}
