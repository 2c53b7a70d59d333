// How alike duplicates are to the clip that was kept, and what a threshold frees of them.

import { chart } from '../../core/charts.js';
import { count } from '../../core/format.js';

/** The histogram of `bins` (`low`, `high`, `num`), from `least` or the lowest of them to 1. */
export function histogram(bins, threshold, least, width) {
  const { Plot } = globalThis;
  const low = Math.min(least, ...bins.map((bin) => bin.low));
  const fill = (bin) => (bin.high <= threshold ? 'var(--rejected)' : 'var(--accent)');
  const title = (bin) => `${bin.low.toFixed(3)}–${bin.high.toFixed(3)}: ${count(bin.num)}`;
  return chart({
    width,
    height: 138,
    marginLeft: 40,
    marginBottom: 30,
    marginTop: 24,
    ariaLabel: 'Histogram of how alike duplicates are to the clip kept in their place',
    x: { domain: [low, 1], label: 'cosine →' },
    y: {
      label: null,
      ticks: 3,
      tickFormat: (value) => (Number.isInteger(value) ? count(value) : ''),
      grid: true,
    },
    marks: [
      Plot.rectY(bins, { x1: 'low', x2: 'high', y: 'num', inset: 0.5, fill, title }),
      Plot.ruleY([0], { stroke: 'var(--faint)' }),
      Plot.ruleX([threshold], { stroke: 'var(--ink)', strokeWidth: 2 }),
      thresholdText(threshold),
    ],
  });
}

function thresholdText(threshold) {
  return globalThis.Plot.text([threshold], {
    x: (value) => value,
    text: (value) => value.toFixed(3),
    frameAnchor: 'top',
    textAnchor: 'start',
    dx: -2,
    dy: -12,
    fill: 'var(--ink)',
  });
}
