// Charts of held-out loss over the time t of the flow, where 0 is noise.

import { count, number } from '../../core/format.js';
import { chart, columnWidth } from '../../core/charts.js';
import { FLOOR, FLOOR_LINE, HELD, short } from './charts.js';

const FIRST = 'var(--waiting)';

/** The held-out loss of an evaluation over times, beside the first one and the floor. */
export function lossOverTimes(evaluations, step) {
  const { Plot } = globalThis;
  const [first] = evaluations;
  const chosen = evaluations.find((one) => one.step === step);
  const here = `step ${count(step)}`;
  const colours = [
    [here, HELD],
    ...(first === chosen ? [] : [[`step ${count(first.step)}, the first`, FIRST]]),
    ['Gaussian floor', FLOOR],
  ];
  const floor = floorLine(chosen);
  const line = lossLine(chosen);
  const title = (one) => `t ${number(one.time)}: ${number(one.loss)}`;
  const places = { x: 'time', y: 'loss' };
  return chart({
    width: columnWidth(),
    height: 240,
    marginLeft: 44,
    ariaLabel: `Held-out loss over t at ${here}`,
    x: { domain: [0, 1], label: 't (0 is noise) →' },
    y: { label: '↑ loss', grid: true, zero: true },
    color: {
      domain: colours.map(([name]) => name),
      range: colours.map(([, colour]) => colour),
      legend: true,
    },
    marks: [
      Plot.lineY(floor, { ...places, ...FLOOR_LINE }),
      Plot.dot(floor, { ...places, stroke: FLOOR, r: 2, symbol: 'diamond' }),
      first === chosen ? null : Plot.lineY(lossLine(first), { ...places, stroke: FIRST }),
      Plot.lineY(line, { ...places, stroke: HELD, strokeWidth: 2 }),
      Plot.dot(line, { ...places, fill: HELD, r: 3, title }),
    ],
  });
}

const lossLine = (evaluation) => evaluation.by_time.map(([time, loss]) => ({ time, loss }));
const floorLine = (evaluation) =>
  evaluation.by_time
    .filter(([, , floor]) => floor !== null)
    .map(([time, , floor]) => ({ time, loss: floor }));

/** The loss at each time as a share of its floor, over steps. */
export function timesOverSteps(evaluations) {
  const { Plot } = globalThis;
  const points = evaluations.flatMap(sharesOf);
  const title = (one) =>
    `t ${number(one.time)}, step ${count(one.step)}: ${number(one.share)} of the floor`;
  const places = { x: 'step', y: 'share' };
  return chart({
    width: columnWidth(),
    height: 240,
    marginLeft: 44,
    ariaLabel: 'Held-out loss over steps at each t, as a share of the floor',
    x: { label: 'step →', tickFormat: short },
    y: { label: '↑ loss / floor', grid: true },
    color: {
      type: 'ordinal',
      scheme: 'viridis',
      legend: true,
      tickFormat: (time) => `t ${number(time)}`,
    },
    marks: [
      Plot.ruleY([1], FLOOR_LINE),
      Plot.lineY(points, { ...places, z: 'time', stroke: 'time', strokeWidth: 1.5 }),
      Plot.dot(points, { ...places, fill: 'time', r: 2.5, title }),
    ],
  });
}

const sharesOf = ({ step, by_time: rows }) =>
  rows
    .filter(([, , floor]) => floor)
    .map(([time, loss, floor]) => ({ step, time, share: loss / floor }));
