// One step of the funnel: how much came through, and what was lost to which reason.

import { el } from '../../core/dom.js';
import { bytes, count, hours, percent, words } from '../../core/format.js';
import { panelHref } from '../../core/state.js';

const STATES = ['ok', 'rejected', 'failed', 'waiting'];

/** What a funnel is counted in. */
export const UNITS = {
  clips: {
    label: 'number',
    of: (outcome) => outcome.num,
    into: (step) => step.num_in,
    out: (step) => step.num_out,
    say: count,
  },
  hours: {
    label: 'hours',
    of: (outcome) => outcome.hours,
    into: (step) => step.hours_in,
    out: (step) => step.hours_out,
    say: hours,
  },
  bytes: {
    label: 'bytes',
    of: (outcome) => outcome.size_bytes,
    into: (step) => step.size_bytes_in,
    out: (step) => step.size_bytes_out,
    say: bytes,
  },
};

/** How many inputs of a step are in a state. */
export const numOf = (step, status) =>
  step.outcomes.filter((one) => one.status === status).reduce((sum, one) => sum + one.num, 0);

/** The step as a line, a bar and its reasons. */
export function funnelStep(step, unit, meanings, subset) {
  const reasons = step.outcomes.filter((outcome) => outcome.status !== 'ok');
  const drawn = (outcome) =>
    reason(outcome, step, unit, {
      to: hrefBehind(step, outcome, subset),
      meaning: meanings[outcome.reason],
    });
  return el(
    'li',
    { 'data-step': step.name },
    line(step, unit),
    bar(step, unit),
    reasons.length > 0 && el('ul', { class: 'reasons' }, reasons.map(drawn)),
  );
}

function line(step, unit) {
  const { into, out, say } = UNITS[unit];
  const what = unit === 'clips' ? step.unit : '';
  return el(
    'div',
    { class: 'line' },
    el('h2', {}, step.name),
    el('span', {}, `${say(into(step))} ${what} in, ${say(out(step))} out`),
    el(
      'span',
      { class: step.adds_up ? 'check good' : 'check bad' },
      step.adds_up ? '✓ adds up' : '✗ does not add up: run moviola verify',
    ),
  );
}

function bar(step, unit) {
  const { of, into, say } = UNITS[unit];
  const whole = Math.max(into(step), 1e-12);
  const told = STATES.map((name) => `${name} ${count(numOf(step, name))}`).join(', ');
  const parts = STATES.flatMap((name) => step.outcomes.filter((one) => one.status === name));
  return el(
    'div',
    { class: 'bar', role: 'img', 'aria-label': told },
    parts
      .filter((outcome) => of(outcome) > 0)
      .map((outcome) =>
        el('span', {
          class: outcome.status,
          style: `flex-grow:${of(outcome) / whole}`,
          title: `${words(outcome.reason ?? outcome.status)}: ${say(of(outcome))}`,
        }),
      ),
  );
}

function reason(outcome, step, unit, { to, meaning }) {
  const { of, into, say } = UNITS[unit];
  const name = words(outcome.reason ?? outcome.status);
  return el(
    'li',
    { class: outcome.status },
    el('a', { href: to, title: meaning ?? '' }, name),
    ' ',
    el('b', {}, say(of(outcome))),
    el('small', {}, ` ${percent(of(outcome) / into(step))}`),
  );
}

/** Where the clips, or the rows, of a reason are shown. */
function hrefBehind(step, { reason: why }, subset) {
  return step.name.startsWith('selection/')
    ? panelHref('examples', { subset, verdict: 'rejected', reason: why })
    : panelHref('failures', { stage: step.name, why });
}
