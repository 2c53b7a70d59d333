// The bars of a measure's histogram, each cut by what became of its clips.

import { chartOfLinks } from '../../core/charts.js';
import { count, number } from '../../core/format.js';

const { Plot, d3 } = globalThis;

/** The chart's height, and what is left of it for axes. */
export const HEIGHT = 150;
export const TOP = 10;
export const BOTTOM = 22;

const BANDS = [
  { band: 'kept', fill: 'var(--kept)', told: 'pass' },
  { band: 'here', fill: 'var(--here)', told: 'rejected here' },
  { band: 'elsewhere', fill: 'var(--waiting)', told: 'rejected by other rules' },
];

/** The bins of an answer as rows. */
export function binRows({ edges, kept, here, elsewhere }) {
  return Array.from(kept, (_, bin) => ({
    from: edges[bin],
    to: edges[bin + 1],
    kept: kept[bin],
    here: here[bin],
    elsewhere: elsewhere[bin],
  }));
}

/** The parts of a bin's bar. Heights go by the root, or the few clips at a threshold would not show. */
export function stacked(bin) {
  const whole = bin.kept + bin.here + bin.elsewhere;
  let low = 0;
  return BANDS.filter(({ band }) => bin[band]).map(({ band, fill, told }) => {
    const high = low + (Math.sqrt(whole) * bin[band]) / whole;
    const bar = { ...bin, fill, told, num: bin[band], low, high };
    low = high;
    return bar;
  });
}

/** The bars over the axis of a measure. */
export function barChart(bins, width) {
  const bars = binRows(bins).flatMap(stacked);
  return chartOfLinks({
    width,
    height: HEIGHT,
    marginLeft: 40,
    marginRight: 12,
    marginTop: TOP,
    marginBottom: BOTTOM,
    style: { background: 'none', fontSize: '11px', fontFamily: 'inherit', overflow: 'visible' },
    x: { domain: [bins.edges[0], bins.edges.at(-1)], label: null, ticks: 6 },
    y: {
      label: null,
      ticks: rootTicks(bars),
      tickFormat: (root) => d3.format('~s')(root * root),
      grid: true,
    },
    marks: [
      Plot.rect(bars, {
        x1: 'from',
        x2: 'to',
        y1: 'low',
        y2: 'high',
        fill: 'fill',
        insetLeft: 0.5,
        insetRight: 0.5,
        title: ({ from, to, num, told }) =>
          `${number(from)} to ${number(to)}: ${count(num)} ${told}`,
      }),
      Plot.ruleY([0]),
    ],
  });
}

/** Round numbers of clips, as their roots. */
function rootTicks(bars) {
  const most = d3.max(bars, (bar) => bar.high) ?? 1;
  const round = (share) => Math.max(1, Number((share * most * most).toPrecision(1)));
  const nums = new Set([1, 0.44, 0.1].map(round));
  const roots = Array.from(nums, Math.sqrt);
  return [...roots.filter((root) => root <= most), 0];
}
