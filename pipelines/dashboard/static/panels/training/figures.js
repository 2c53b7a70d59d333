// How a stage of training stands, in figures.

import { el } from '../../core/dom.js';
import { count, duration, number, percent } from '../../core/format.js';
import { figure, hint } from '../../core/parts.js';

const AT_WORK_S = 180;

/** The figures of a stage, with what is still being read and what could not be. */
export function stageFigures(told) {
  return [
    told.read_share < 1 &&
      el(
        'p',
        { class: 'hint', role: 'status' },
        `Reading the metrics: ${percent(told.read_share)} so far.`,
      ),
    el(
      'div',
      { class: 'figures' },
      stateFigure(told),
      figure(
        'step',
        count(told.last_step),
        told.steps ? `of ${count(told.steps)}` : 'of an unknown number',
      ),
      lossFigure(told.curves),
      heldOutFigure(told.evaluations.at(-1)),
      tokensFigure(told.curves),
      mfuFigure(told.curves),
      paceFigure(told),
    ),
    told.num_broken > 0 &&
      hint(
        `${count(told.num_broken)} lines of metrics.jsonl are no whole JSON, as a run that was killed leaves them; they are left out.`,
      ),
  ];
}

const last = (curve) => (curve ? curve.mean.at(-1) : null);

function stateFigure(told) {
  const shown = (state, note, kind) => figure('state', state, note, { class: kind });
  if (told.is_finished) return shown('finished', 'its model.safetensors is written', 'figure good');
  if (told.written_s === null) return shown('begun', 'no metrics yet', 'figure');
  const age = Date.now() / 1000 - told.written_s;
  const heard = `metrics last written ${duration(Math.max(0, Math.round(age)))} ago`;
  return age < AT_WORK_S
    ? shown('at work', heard, 'figure good')
    : shown('silent', heard, 'figure warn');
}

function lossFigure({ loss, floor_gaussian: floor }) {
  const ratio = loss && floor ? `${percent(last(loss) / last(floor))} of the Gaussian floor` : null;
  return figure('training loss', number(last(loss)), ratio);
}

function heldOutFigure(evaluation) {
  if (!evaluation) return null;
  const { loss, interval, step } = evaluation;
  return figure(
    'held-out loss',
    number(loss),
    interval
      ? `${number(interval[0])} to ${number(interval[1])} at 95 %`
      : `at step ${count(step)}`,
  );
}

function tokensFigure({ tokens_per_s: tokens, samples_per_s: samples }) {
  if (!tokens) return null;
  return figure(
    'tokens per s',
    number(last(tokens)),
    samples ? `${number(last(samples))} samples per s` : null,
  );
}

function mfuFigure({ mfu }) {
  if (!mfu) return null;
  const note = 'of the peak of the device, or of what a large matmul reaches';
  return figure('MFU', percent(last(mfu)), note);
}

function paceFigure(told) {
  if (told.steps_per_s === null || told.is_finished) return null;
  const left =
    told.steps && told.steps_per_s ? (told.steps - told.last_step) / told.steps_per_s : null;
  return figure(
    'steps per s',
    number(told.steps_per_s),
    left === null
      ? 'seen since this page looks'
      : `${duration(Math.round(left))} left at this rate`,
  );
}
