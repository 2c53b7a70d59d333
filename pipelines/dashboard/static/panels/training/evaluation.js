// The held-out loss of one evaluation: over times, over steps, and by group.

import { hint } from '../../core/parts.js';
import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count, number } from '../../core/format.js';
import { go, href } from '../../core/state.js';
import { card, headed } from '../../core/cards.js';
import { svgOf } from '../../core/charts.js';
import { chooser } from '../../core/chooser.js';
import { groupTables } from './groups.js';
import { heatmap } from './heatmap.js';
import { lossOverTimes, timesOverSteps } from './time_charts.js';

/** What stands where nothing has been evaluated. */
export const noEvaluation = () =>
  card(
    'Held-out loss',
    hint(
      'Nothing has been evaluated yet. Samples are held out where the stage of the recipe has data.held_out_share above 0.',
    ),
  );

/** An evaluation as a whole, with the short form of all; `isHere`: its data are of this workspace. */
export function evaluationCard(whole, evaluations, step, isHere) {
  const byBucket = whole.by_time_and_bucket;
  const map = heatmap(byBucket ?? {});
  return card(
    head(whole, evaluations, step),
    el(
      'div',
      { class: 'columns' },
      chartColumn('over the time t of the flow, with its floor', lossOverTimes(evaluations, step), {
        name: 'loss-over-t',
        rows: () => whole.by_time ?? [],
      }),
      chartColumn('over steps, for each t, as a share of the floor', timesOverSteps(evaluations), {
        name: 'loss-by-t',
        rows: () => evaluations.flatMap(timeRows),
      }),
      map &&
        chartColumn('by bucket and t, as a share of the floor', map, {
          name: 'loss-by-bucket-and-t',
          rows: () => Object.entries(byBucket).flatMap(bucketRows),
        }),
      groupTables(whole, isHere),
    ),
  );
}

function head(whole, evaluations, step) {
  const steps = evaluations.map((one) => one.step);
  const place = steps.indexOf(step);
  return headed(
    'Held-out loss',
    stepLink('Earlier evaluation', '‹', steps[place - 1]),
    chooser(
      'at step',
      steps.map((one) => [one, count(one)]),
      step,
      (chosen) => go(href({ eval: chosen })),
    ),
    stepLink('Later evaluation', '›', steps[place + 1]),
    el(
      'span',
      { class: 'hint' },
      `${number(whole.loss)} ± ${number(whole.standard_error)} (standard error), of ${count(whole.num_samples ?? 0)} samples`,
    ),
  );
}

function stepLink(name, sign, step) {
  const to = step === undefined ? null : href({ eval: step });
  return el('a', { class: 'step', href: to, 'aria-label': name }, sign);
}

function chartColumn(title, chart, { name, rows }) {
  return el(
    'div',
    {},
    el('h3', {}, title),
    chart,
    exports({ name, chart: () => svgOf(chart), rows }),
  );
}

const timeRows = ({ step, by_time: rows }) =>
  rows.map(([time, loss, floor]) => ({ step, time, loss, floor }));

const bucketRows = ([bucket, rows]) => rows.map((row) => ({ bucket, ...row }));
