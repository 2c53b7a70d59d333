// Charts of a stage of training.

import { count, number, words } from '../core/format.js';

const STYLE = { background: 'none', fontSize: '12px', fontFamily: 'inherit' };
const TRAIN = 'var(--accent)';
const HELD = 'var(--rejected)';
const FLOOR = 'var(--faint)';

const short = (value) => (Math.abs(value) >= 1000 ? globalThis.d3.format('~s')(value) : number(value));
const room = (most, share = 1) => Math.max(270, Math.min(most, ((document.getElementById('panel')?.clientWidth ?? 900) - 90) * share));
const pointsOf = (curve) => curve.step.map((step, at) => ({ step, value: curve.mean[at], least: curve.least?.[at], most: curve.most?.[at] }));

/** An exponential mean over about a fortieth of the points, which begins without a bias. */
export function smoothed(values, span = Math.max(5, values.length / 40)) {
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
export function lossOverSteps(told, log) {
  const { Plot } = globalThis;
  const { loss, floor_gaussian: floor } = told.curves;
  const points = pointsOf(loss);
  const smooth = smoothed(loss.mean).map((value, at) => ({ step: loss.step[at], value }));
  const held = told.evaluations;
  const names = ['training', 'smoothed', ...(held.length ? ['held out'] : []), ...(floor ? ['Gaussian floor'] : [])];
  return Plot.plot({
    width: room(1100), height: 300, marginLeft: 50, marginRight: 16, style: STYLE,
    ariaLabel: `Loss over steps: the last is ${number(points.at(-1).value)} at step ${points.at(-1).step}`,
    x: { label: 'step →', tickFormat: short }, y: { label: '↑ loss', grid: true, type: log ? 'log' : 'linear', zero: !log },
    color: { domain: names, range: names.map((name) => ({ training: TRAIN, smoothed: 'var(--ink)', 'held out': HELD, 'Gaussian floor': FLOOR })[name]), legend: true },
    marks: [
      !loss.least ? null : Plot.areaY(points, { x: 'step', y1: 'least', y2: 'most', fill: TRAIN, fillOpacity: 0.15 }),
      Plot.lineY(points, { x: 'step', y: 'value', stroke: TRAIN, strokeOpacity: 0.45, strokeWidth: 1 }),
      Plot.lineY(smooth, { x: 'step', y: 'value', stroke: 'var(--ink)', strokeWidth: 2 }),
      !floor ? null : Plot.lineY(pointsOf(floor), { x: 'step', y: 'value', stroke: FLOOR, strokeDasharray: '4 3' }),
      Plot.ruleX(held.filter((one) => one.interval), { x: 'step', y1: (one) => one.interval[0], y2: (one) => one.interval[1], stroke: HELD }),
      Plot.lineY(held, { x: 'step', y: 'loss', stroke: HELD }),
      Plot.dot(held, { x: 'step', y: 'loss', fill: HELD, r: 3, symbol: 'square', title: (one) => `held out: ${number(one.loss)} at step ${count(one.step)}` }),
      Plot.tip(points, Plot.pointerX({ x: 'step', y: 'value', title: (point) => `step ${count(point.step)}\nloss ${number(point.value)}` })),
    ],
  });
}

/** The held-out loss of an evaluation over times, beside the first one and the floor. */
export function lossOverTimes(evaluations, step) {
  const { Plot } = globalThis;
  const [first] = evaluations;
  const chosen = evaluations.find((one) => one.step === step);
  const line = (one, name) => one.by_time.map(([time, loss]) => ({ time, loss, name }));
  const floor = chosen.by_time.filter(([, , least]) => least !== null).map(([time, , least]) => ({ time, loss: least, name: 'Gaussian floor' }));
  const here = `step ${count(step)}`;
  const names = [here, ...(first === chosen ? [] : [`step ${count(first.step)}, the first`]), 'Gaussian floor'];
  return Plot.plot({
    width: room(520, innerWidth > 1100 ? 0.5 : 1), height: 240, marginLeft: 44, style: STYLE, ariaLabel: `Held-out loss over t at ${here}`,
    x: { domain: [0, 1], label: 't (0 is noise) →' }, y: { label: '↑ loss', grid: true, zero: true },
    color: { domain: names, range: names.length === 3 ? [HELD, 'var(--waiting)', FLOOR] : [HELD, FLOOR], legend: true },
    marks: [
      Plot.lineY(floor, { x: 'time', y: 'loss', stroke: FLOOR, strokeDasharray: '4 3' }),
      Plot.dot(floor, { x: 'time', y: 'loss', stroke: FLOOR, r: 2, symbol: 'diamond' }),
      first === chosen ? null : Plot.lineY(line(first, names[1]), { x: 'time', y: 'loss', stroke: 'var(--waiting)' }),
      Plot.lineY(line(chosen, here), { x: 'time', y: 'loss', stroke: HELD, strokeWidth: 2 }),
      Plot.dot(line(chosen, here), { x: 'time', y: 'loss', fill: HELD, r: 3, title: (one) => `t ${number(one.time)}: ${number(one.loss)}` }),
    ],
  });
}

/** The loss at each time as a share of its floor, over steps. */
export function timesOverSteps(evaluations) {
  const { Plot } = globalThis;
  const points = evaluations.flatMap((one) => one.by_time.filter(([, , floor]) => floor).map(([time, loss, floor]) => ({ step: one.step, time, share: loss / floor })));
  return Plot.plot({
    width: room(520, innerWidth > 1100 ? 0.5 : 1), height: 240, marginLeft: 44, style: STYLE, ariaLabel: 'Held-out loss over steps at each t, as a share of the floor',
    x: { label: 'step →', tickFormat: short }, y: { label: '↑ loss / floor', grid: true },
    color: { type: 'ordinal', scheme: 'viridis', legend: true, tickFormat: (time) => `t ${number(time)}` },
    marks: [
      Plot.ruleY([1], { stroke: FLOOR, strokeDasharray: '4 3' }),
      Plot.lineY(points, { x: 'step', y: 'share', z: 'time', stroke: 'time', strokeWidth: 1.5 }),
      Plot.dot(points, { x: 'step', y: 'share', fill: 'time', r: 2.5, title: (one) => `t ${number(one.time)}, step ${count(one.step)}: ${number(one.share)} of the floor` }),
    ],
  });
}

/** Loss divided by its floor by bucket and time; null where nothing is told by bucket. */
export function heatmap(byBucket) {
  const { Plot } = globalThis;
  const cells = Object.entries(byBucket).flatMap(([bucket, rows]) => rows.filter((row) => row.floor_gaussian).map((row) => ({ bucket, time: number(row.time), at: row.time, share: row.loss / row.floor_gaussian, num: row.num_samples })));
  if (!cells.length) return null;
  const buckets = [...new Set(cells.map((cell) => cell.bucket))];
  const times = [...new Set([...cells].sort((a, b) => a.at - b.at).map((cell) => cell.time))];
  const shares = cells.map((cell) => cell.share);
  const width = room(520, innerWidth > 1100 ? 0.5 : 1);
  const spread = Math.max(0.05, ...shares.map((share) => Math.abs(share - 1)));
  return Plot.plot({
    width, height: 60 + 34 * buckets.length, marginLeft: 86, marginBottom: 34, style: STYLE, padding: 0.04,
    ariaLabel: `Loss as a share of the floor for ${buckets.length} buckets and ${times.length} times`,
    x: { domain: times, label: 't (0 is noise) →' }, y: { domain: buckets, label: null },
    // Blue is below the floor, red above; the number says so too.
    color: { type: 'diverging', scheme: 'RdBu', reverse: true, pivot: 1, domain: [1 - spread, 1 + spread] },
    marks: [
      Plot.cell(cells, { x: 'time', y: 'bucket', fill: 'share', title: (cell) => `${cell.bucket}, t ${cell.time}: ${number(cell.share)} of the floor, ${count(cell.num)} samples` }),
      (width - 106) / times.length < 34 ? null : Plot.text(cells, { x: 'time', y: 'bucket', text: (cell) => cell.share.toFixed(2), fill: (cell) => (Math.abs(cell.share - 1) > 0.6 * spread ? '#fff' : '#111') }),
    ],
  });
}

/** A small chart of one of the numbers that a stage tells over steps. */
export function overSteps(name, curve) {
  const { Plot } = globalThis;
  const points = pointsOf(curve);
  const label = { mfu: 'MFU' }[name] ?? words(name);
  return Plot.plot({
    width: 270, height: 140, marginLeft: 58, marginTop: 26, style: STYLE, ariaLabel: `${label} over steps: the last is ${number(points.at(-1).value)}`,
    x: { label: null, tickFormat: short, ticks: 4 }, y: { label: `↑ ${label}`, grid: true, ticks: 4, tickFormat: short, zero: true },
    marks: [
      !curve.least ? null : Plot.areaY(points, { x: 'step', y1: 'least', y2: 'most', fill: TRAIN, fillOpacity: 0.15 }),
      Plot.lineY(points, { x: 'step', y: 'value', stroke: TRAIN }),
      Plot.tip(points, Plot.pointerX({ x: 'step', y: 'value', title: (point) => `step ${count(point.step)}\n${number(point.value)}` })),
    ],
  });
}
