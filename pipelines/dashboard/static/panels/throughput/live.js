// The run at work: how far it is, how fast it goes, and when it may be done.

import { el } from '../../core/dom.js';
import { count, duration, number, percent, time } from '../../core/format.js';
import { figure, hint } from '../../core/parts.js';
import { card, headed } from '../../core/cards.js';
import { ago, clock } from './clock.js';

/** The run at work, as it is now. */
export function liveCard(live, now) {
  if (!live.stage) return justBegun(live, now);
  const { stage, done, total } = live;
  const rate = perSecond(live.rows_per_s);
  const lastRows = live.last_ms ? clock(live.last_ms) : 'of this stage in this run';
  return el(
    'section',
    { class: 'card roomy pace', 'aria-label': 'The run at work' },
    headed(`At work: ${stage}`, el('span', { class: 'hint' }, `run ${live.run} on ${live.host}`)),
    total ? progress(stage, done / total) : null,
    el(
      'div',
      { class: 'figures' },
      doneFigure(live),
      figure('rate now', rate, `over the last ${duration(Math.round(live.window_s))}`),
      leftFigure(live, now),
      figure('last rows', ago(live.last_ms, now), lastRows),
      figure('last heard of', ago(live.heard_ms, now), clock(live.heard_ms)),
    ),
    hint(live.command),
  );
}

/** What stands where no run is at work. */
export function idleNote({ runs }) {
  const [last] = runs;
  const died = runs.find((run) => run.state === 'died');
  return hint(
    died
      ? `Run ${died.run} has died; what it committed stays, and the same command goes on from there: ${died.command}`
      : `No run is at work. The last one, ${last.run}, wrote until ${clock(last.ended_ms)}; what is shown is final until another begins.`,
  );
}

function justBegun(live, now) {
  return card(
    'A run is at work',
    el(
      'p',
      {},
      `${live.command} on ${live.host}, since ${time(live.since)}: nothing committed yet; last heard of ${ago(live.heard_ms, now)}.`,
    ),
  );
}

function progress(stage, share) {
  return el(
    'div',
    {
      class: 'progress',
      role: 'progressbar',
      'aria-valuemin': 0,
      'aria-valuemax': 100,
      'aria-valuenow': Math.round(100 * share),
      'aria-label': `${stage}: ${percent(share)}`,
    },
    el('span', { style: `width:${100 * share}%` }),
  );
}

function doneFigure({ done, total, total_is: kind }) {
  const whole =
    total === null
      ? 'of a number not read yet'
      : `of ${kind === 'exact' ? '' : 'at most '}${count(total)}`;
  return figure('rows done', count(done), whole);
}

function leftFigure({ eta_s: left, total, total_is: kind }, now) {
  const name = 'left at this rate';
  if (left === null) {
    return figure(
      name,
      '–',
      total === null ? 'the total is not known' : 'nothing came in that time',
    );
  }
  const atMost = kind === 'exact' ? '' : '≤ ';
  return figure(
    name,
    `${atMost}${duration(Math.round(left))}`,
    `until ${clock(now + 1000 * left).slice(11, 16)} UTC`,
  );
}

function perSecond(rate) {
  if (rate === null || rate === undefined) return '–';
  return rate >= 1 || !rate ? `${number(rate)} /s` : `${number(rate * 60)} /min`;
}
