// Where the loss is: a map of buckets and times.

import { count, number } from '../../core/format.js';
import { chart, columnWidth } from '../../core/charts.js';

/** In px: a cell that is narrower has no room for its number. */
const LEAST_LABELLED = 34;
const MARGINS = 106;

/** Loss divided by its floor by bucket and time; null where nothing is told by bucket. */
export function heatmap(byBucket) {
  const cells = Object.entries(byBucket).flatMap(([bucket, rows]) => cellsOf(bucket, rows));
  if (!cells.length) return null;
  const buckets = [...new Set(cells.map((cell) => cell.bucket))];
  const times = [...new Set(cells.toSorted((a, b) => a.at - b.at).map((cell) => cell.time))];
  const width = columnWidth();
  const spread = Math.max(0.05, ...cells.map((cell) => Math.abs(cell.share - 1)));
  const hasLabels = (width - MARGINS) / times.length >= LEAST_LABELLED;
  return chart({
    width,
    height: 60 + 34 * buckets.length,
    marginLeft: 86,
    marginBottom: 34,
    padding: 0.04,
    ariaLabel: `Loss as a share of the floor for ${buckets.length} buckets and ${times.length} times`,
    x: { domain: times, label: 't (0 is noise) →' },
    y: { domain: buckets, label: null },
    // Blue is below the floor, red above; the number says so too.
    color: {
      type: 'diverging',
      scheme: 'RdBu',
      reverse: true,
      pivot: 1,
      domain: [1 - spread, 1 + spread],
    },
    marks: [coloured(cells), hasLabels ? labelled(cells, spread) : null],
  });
}

const cellsOf = (bucket, rows) =>
  rows
    .filter((row) => row.floor_gaussian)
    .map((row) => ({
      bucket,
      time: number(row.time),
      at: row.time,
      share: row.loss / row.floor_gaussian,
      num: row.num_samples,
    }));

function coloured(cells) {
  const title = (cell) =>
    `${cell.bucket}, t ${cell.time}: ${number(cell.share)} of the floor, ${count(cell.num)} samples`;
  return globalThis.Plot.cell(cells, { x: 'time', y: 'bucket', fill: 'share', title });
}

function labelled(cells, spread) {
  const text = (cell) => cell.share.toFixed(2);
  const fill = (cell) => (Math.abs(cell.share - 1) > 0.6 * spread ? '#fff' : '#111');
  return globalThis.Plot.text(cells, { x: 'time', y: 'bucket', text, fill });
}
