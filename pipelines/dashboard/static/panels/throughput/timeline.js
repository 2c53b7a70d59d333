// The rows that the stages of a run have committed, over time.

import { count } from '../../core/format.js';
import { chart, chartWidth } from '../../core/charts.js';
import { clock } from './clock.js';

/** With more commits than these, only the last one of each stage is a dot. */
const MOST_DOTS = 300;
const COLOURS = [
  '#4269d0',
  '#efb118',
  '#ff725c',
  '#3ca951',
  '#a463f2',
  '#6cc5b0',
  '#9c6b4e',
  '#ff8ab7',
];

/** A line for each stage; null where none has committed rows. */
export function timeline(stages) {
  const shown = stages.filter((stage) => stage.rows);
  if (!shown.length) return null;
  const names = shown.map((stage) => stage.table);
  const totals = shown.map((stage) => `${stage.table} ${count(stage.rows)}`);
  return chart({
    width: chartWidth(1100, { least: 280 }),
    height: 250,
    marginLeft: 56,
    marginRight: 20,
    marginTop: 24,
    ariaLabel: `Rows committed over time: ${totals.join(', ')}`,
    x: { type: 'utc', label: 'UTC →' },
    y: { label: '↑ rows', grid: true, zero: true },
    color: { domain: names, range: COLOURS, legend: true },
    marks: marks(shown),
  });
}

function marks(stages) {
  const { Plot } = globalThis;
  const lines = stages.map(pointsOf);
  const points = lines.flat();
  const ends = lines.map((line) => line.at(-1));
  const places = { x: 'at', y: 'rows' };
  const title = (one) => `${one.stage}\n${count(one.rows)} rows at ${clock(one.at)}`;
  return [
    Plot.ruleY([0], { stroke: 'var(--line)' }),
    Plot.lineY(points, { ...places, stroke: 'stage', curve: 'step-after', strokeWidth: 2 }),
    Plot.dot(points.length > MOST_DOTS ? ends : points, {
      ...places,
      fill: 'stage',
      r: 2.5,
      title,
    }),
    Plot.text(ends, { ...places, text: 'stage', dy: -10, fill: 'var(--ink)', textAnchor: 'end' }),
  ];
}

const pointsOf = ({ table, line }) =>
  line.map(([at, rows]) => ({ stage: table, at: new Date(at), rows }));
