// What a stage of training tells at each step: its loss, and all else in small charts.

import { hint } from '../../core/parts.js';
import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count } from '../../core/format.js';
import { href } from '../../core/state.js';
import { card, headed } from '../../core/cards.js';
import { svgOf } from '../../core/charts.js';
import { lossOverSteps, overSteps } from './charts.js';

const SCALES = [
  ['linear', null],
  ['log', 'log'],
];

/** The loss over steps, on a scale that can be chosen. */
export function lossCard(told, stage, isLog) {
  const chart = lossOverSteps(told, isLog);
  const { lines_per_bin: lines } = told.curves.loss;
  return card(
    headed('Loss over steps', scaleTabs(isLog)),
    chart,
    hint(
      'The floor is the least loss were the latents white noise, at the times that were drawn: a model below it knows how latents hang together. Smoothed with an exponential mean. ',
      lines > 1 &&
        `Each point is the mean of ${count(lines)} lines; the band is their least and most.`,
    ),
    exports({
      name: `loss-${stage}`,
      chart: () => svgOf(chart),
      rows: () => curveRows(told.curves),
    }),
  );
}

function scaleTabs(isLog) {
  return el(
    'div',
    { class: 'tabs', role: 'group', 'aria-label': 'Scale' },
    SCALES.map(([name, scale]) =>
      el(
        'a',
        {
          href: href({ scale }),
          'aria-current': (scale === 'log') === isLog ? 'true' : null,
        },
        name,
      ),
    ),
  );
}

/** All other curves, in small. */
export function otherCurvesCard(curves) {
  const isShown = ([name, curve]) => {
    // A share of samples that could not be read is worth a chart only where there were any.
    if (name === 'unreadable') return Math.max(...curve.mean) > 0;
    return name !== 'loss' && name !== 'floor_gaussian';
  };
  const shown = Object.entries(curves).filter(isShown);
  return card(
    'Over steps',
    el(
      'div',
      { class: 'small-charts' },
      shown.map(([name, curve]) => overSteps(name, curve)),
    ),
  );
}

/** A row for each step at which any of the curves has a point. */
function curveRows(curves) {
  const names = Object.keys(curves);
  const blank = Object.fromEntries(names.map((name) => [name, null]));
  const rows = new Map();
  for (const name of names) {
    curves[name].step.forEach((step, at) => {
      const row = rows.get(step) ?? { step, ...blank };
      row[name] = curves[name].mean[at];
      rows.set(step, row);
    });
  }
  return [...rows.values()].toSorted((a, b) => a.step - b.step);
}
