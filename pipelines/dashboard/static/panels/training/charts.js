// Charts over the steps of a stage of training.

import { count, number, words } from '../../core/format.js';
import { chart, chartWidth } from '../../core/charts.js';

const TRAIN = 'var(--accent)';
const SMOOTH = 'var(--ink)';
/** Held-out losses, in every chart of training. */
export const HELD = 'var(--rejected)';
/** Floors, in every chart of training. */
export const FLOOR = 'var(--faint)';
/** What a floor looks like as a line. */
export const FLOOR_LINE = { stroke: FLOOR, strokeDasharray: '4 3' };

const COLOURS = {
  training: TRAIN,
  smoothed: SMOOTH,
  'held out': HELD,
  'Gaussian floor': FLOOR,
};

/** A number on an axis: `12k`. */
export const short = (value) =>
  Math.abs(value) >= 1000 ? globalThis.d3.format('~s')(value) : number(value);

/** An exponential mean over about a fortieth of the points, which begins without a bias. */
function smoothed(values, span = Math.max(5, values.length / 40)) {
  const keep = 1 - 2 / (span + 1);
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    sum = keep * sum + (1 - keep) * value;
    weight = keep * weight + (1 - keep);
    return sum / weight;
  });
}

/** Training and held-out loss over steps, with the floor. */
export function lossOverSteps(told, isLog) {
  const { Plot } = globalThis;
  const { loss, floor_gaussian: floor } = told.curves;
  const points = pointsOf(loss);
  const last = points.at(-1);
  const smooth = smoothed(loss.mean).map((value, at) => ({ step: loss.step[at], value }));
  const held = told.evaluations;
  const isAbsent = { 'held out': !held.length, 'Gaussian floor': !floor };
  const names = Object.keys(COLOURS).filter((name) => !isAbsent[name]);
  const line = { x: 'step', y: 'value' };
  return chart({
    width: chartWidth(1100),
    height: 300,
    marginLeft: 50,
    marginRight: 16,
    ariaLabel: `Loss over steps: the last is ${number(last.value)} at step ${last.step}`,
    x: { label: 'step →', tickFormat: short },
    y: { label: '↑ loss', grid: true, type: isLog ? 'log' : 'linear', zero: !isLog },
    color: { domain: names, range: names.map((name) => COLOURS[name]), legend: true },
    marks: [
      band(loss, points),
      Plot.lineY(points, { ...line, stroke: TRAIN, strokeOpacity: 0.45, strokeWidth: 1 }),
      Plot.lineY(smooth, { ...line, stroke: SMOOTH, strokeWidth: 2 }),
      floor ? Plot.lineY(pointsOf(floor), { ...line, ...FLOOR_LINE }) : null,
      ...heldOut(held),
      pointed(points, (point) => `loss ${number(point.value)}`),
    ],
  });
}

/** A small chart of one of the numbers that a stage tells over steps. */
export function overSteps(name, curve) {
  const { Plot } = globalThis;
  const points = pointsOf(curve);
  const label = { mfu: 'MFU' }[name] ?? words(name);
  return chart({
    width: 270,
    height: 140,
    marginLeft: 58,
    marginTop: 26,
    ariaLabel: `${label} over steps: the last is ${number(points.at(-1).value)}`,
    x: { label: null, tickFormat: short, ticks: 4 },
    y: { label: `↑ ${label}`, grid: true, ticks: 4, tickFormat: short, zero: true },
    marks: [
      band(curve, points),
      Plot.lineY(points, { x: 'step', y: 'value', stroke: TRAIN }),
      pointed(points, (point) => number(point.value)),
    ],
  });
}

const pointsOf = (curve) =>
  curve.step.map((step, at) => ({
    step,
    value: curve.mean[at],
    least: curve.least?.[at],
    most: curve.most?.[at],
  }));

/** From the least to the most, where a point stands for several lines of the metrics. */
function band(curve, points) {
  if (!curve.least) return null;
  const between = { x: 'step', y1: 'least', y2: 'most' };
  return globalThis.Plot.areaY(points, { ...between, fill: TRAIN, fillOpacity: 0.15 });
}

/** The evaluations: a line with a square and an interval at each. */
function heldOut(evaluations) {
  const { Plot } = globalThis;
  const [y1, y2] = [(one) => one.interval[0], (one) => one.interval[1]];
  const withInterval = evaluations.filter((one) => one.interval);
  const title = (one) => `held out: ${number(one.loss)} at step ${count(one.step)}`;
  return [
    Plot.ruleX(withInterval, { x: 'step', y1, y2, stroke: HELD }),
    Plot.lineY(evaluations, { x: 'step', y: 'loss', stroke: HELD }),
    Plot.dot(evaluations, { x: 'step', y: 'loss', fill: HELD, r: 3, symbol: 'square', title }),
  ];
}

/** What is said of the point that is nearest to the pointer. */
function pointed(points, said) {
  const { Plot } = globalThis;
  const title = (point) => `step ${count(point.step)}\n${said(point)}`;
  return Plot.tip(points, Plot.pointerX({ x: 'step', y: 'value', title }));
}
