// What went in and what came out at each step, in clips, hours and bytes, and whether it adds up.

import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { bytes, count, hours, percent } from '../../core/format.js';
import { errorBox, figure } from '../../core/parts.js';
import { href, panelHref, state } from '../../core/state.js';
import { drawCuts } from './cuts.js';
import { funnelStep, numOf, UNITS } from './step.js';
import { nothingIn } from '../../core/nothing_yet.js';

/** Draws the panel; may return what is to be done when it is left. */
export async function draw(body, { state: wanted, overview, signal }) {
  const { subset } = wanted;
  const { steps, meanings } = await ask('funnel', {}, signal);
  if (!steps.length) {
    replace(body, nothingIn(overview));
    return;
  }
  const unit = wanted.unit in UNITS ? wanted.unit : 'clips';
  const chosen = steps.filter((step) => isOf(step, subset, overview.subsets));
  const drawn = chosen.map((step) => funnelStep(step, unit, meanings, subset));
  const cuts = el('aside', { class: 'cuts', 'aria-label': 'Thresholds' });
  replace(
    body,
    summary(steps, subset, overview),
    unitPicker(unit),
    el('div', { class: 'beside' }, el('ol', { class: 'funnel' }, drawn), cuts),
    exports({ name: 'funnel', rows: () => steps.flatMap(savedRows) }),
  );
  if (!subset) return;
  try {
    await drawCuts(cuts, subset, signal);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    replace(cuts, errorBox(error));
  }
}

/** Steps of another subset are left out: its funnel is its own. */
function isOf(step, subset, subsets) {
  const [, part] = step.name.split('/');
  return !subsets.includes(part) || part === subset || step.name.startsWith('captions/');
}

function summary(steps, subset, overview) {
  const named = (name) => steps.find((step) => step.name === name);
  const sources = named('sources');
  const selection = named(`selection/${subset}`);
  const shards = named(`shards/${subset}`);
  const isAtRest = !overview.run?.is_alive;
  return el(
    'div',
    { class: 'figures' },
    sources &&
      figure(
        'in',
        hours(sources.hours_in),
        `${count(sources.num_in)} files, ${bytes(sources.size_bytes_in)}`,
      ),
    selection && keptFigures(selection, subset),
    shards && figure('samples', count(shards.num_out), bytes(shards.size_bytes_out)),
    failedFigure(steps),
    checkFigure(steps),
    selection && !numOf(selection, 'ok') && isAtRest && nothingKept(),
  );
}

function keptFigures(selection, subset) {
  const { num_in: numIn, hours_in: hoursIn, hours_out: hoursOut } = selection;
  const kept = numOf(selection, 'ok');
  return [
    figure(`kept in ${subset}`, count(kept), `of ${count(numIn)} clips, ${percent(kept / numIn)}`),
    figure('kept', hours(hoursOut), `of ${hours(hoursIn)} of clips`),
  ];
}

function failedFigure(steps) {
  const num = steps.reduce((sum, step) => sum + numOf(step, 'failed'), 0);
  const why = num ? el('a', { href: panelHref('failures') }, 'see why') : 'nothing';
  return figure('failed', count(num), why, { class: `figure${num ? ' warn' : ''}` });
}

function checkFigure(steps) {
  const broken = steps.filter((step) => !step.adds_up).length;
  return figure(
    'check',
    broken ? `${broken} do not` : 'adds up',
    'in = kept + rejected + failed + waiting',
    { class: `figure ${broken ? 'bad' : 'good'}`, id: 'check' },
  );
}

function nothingKept() {
  return el(
    'p',
    { class: 'state' },
    'Nothing is kept. ',
    el('a', { href: panelHref('measures') }, 'Move a threshold'),
    ' to see what would come back.',
  );
}

function unitPicker(unit) {
  const tab = ([name, { label }]) =>
    el(
      'a',
      { href: href({ unit: name }, state()), 'aria-current': name === unit ? 'true' : null },
      label,
    );
  const attributes = { class: 'tabs', role: 'group', 'aria-label': 'Count in' };
  return el('div', attributes, Object.entries(UNITS).map(tab));
}

function savedRows({ name: step, unit, num_in, adds_up, outcomes }) {
  return outcomes.map(({ status, reason, num, hours: long, size_bytes }) => ({
    step,
    unit,
    num_in,
    status,
    reason,
    num,
    hours: long,
    size_bytes,
    adds_up,
  }));
}
