// What went in and what came out at each step, in clips, hours and bytes, and whether it adds up.

import { ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { bytes, count, hours, percent, words } from '../core/format.js';
import { emptyState, errorBox, exports, figure } from '../core/parts.js';
import { href, panelHref, state } from '../core/state.js';
import { stacked } from './histogram.js';

const { Plot } = globalThis;

const UNITS = { clips: 'number', hours: 'hours', bytes: 'bytes' };
const STATES = ['ok', 'rejected', 'failed', 'waiting'];

const amount = {
  clips: { of: (outcome) => outcome.num, into: (step) => step.num_in, out: (step) => step.num_out, say: count },
  hours: { of: (outcome) => outcome.hours, into: (step) => step.hours_in, out: (step) => step.hours_out, say: hours },
  bytes: { of: (outcome) => outcome.size_bytes, into: (step) => step.size_bytes_in, out: (step) => step.size_bytes_out, say: bytes },
};

async function draw(body, { state: wanted, overview, signal }) {
  const { steps, meanings } = await ask('funnel', {}, signal);
  if (!steps.length) {
    replace(body, emptyState('Nothing has gone in yet', 'The workspace has no input files. Curate some footage into it:',
      `moviola curate movie-gen-256p --input FOOTAGE --workspace '${overview.workspace}'`));
    return;
  }
  const unit = wanted.unit in UNITS ? wanted.unit : 'clips';
  const chosen = steps.filter((step) => isOf(step, wanted.subset, overview.subsets));
  const cuts = el('aside', { class: 'cuts', 'aria-label': 'Thresholds' });
  replace(body, summary(steps, wanted.subset, overview), unitPicker(unit),
    el('div', { class: 'beside' },
      el('ol', { class: 'funnel' }, chosen.map((step) => drawnStep(step, unit, meanings, wanted.subset))), cuts),
    exports({ name: 'funnel', rows: () => rowsOf(steps) }));
  if (!wanted.subset) return;
  try {
    await drawCuts(cuts, wanted.subset, signal);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    replace(cuts, errorBox(error));
  }
}

/** Where each rule cuts, small, beside the funnel; the thresholds' own panel is a click away. */
async function drawCuts(place, subset, signal) {
  const { measures } = await ask('measures', { subset }, signal);
  const ruled = measures.filter((measure) => measure.rule);
  const found = await Promise.all(ruled.map((measure) => ask('histogram', { subset, measure: measure.name }, signal)));
  replace(place, ruled.map((measure, index) => el('a', { class: 'card cut', href: panelHref('measures', { measure: measure.name }) },
    el('span', { class: 'row' }, el('b', {}, words(measure.name)), el('small', {}, said(measure.rule))), miniature(found[index], measure.rule))));
}

function said({ min, max }) {
  if (min !== null && max !== null) return `${min} to ${max}`;
  return min !== null ? `at least ${min}` : max !== null ? `at most ${max}` : 'off';
}

function miniature({ edges, kept, here, elsewhere }, { min, max }) {
  const bars = kept.map((_, bin) => ({ from: edges[bin], to: edges[bin + 1], kept: kept[bin], here: here[bin], elsewhere: elsewhere[bin] })).flatMap(stacked);
  const lines = [min, max].filter((bound) => bound !== null && bound >= edges[0] && bound <= edges.at(-1));
  return Plot.plot({ width: 220, height: 46, margin: 1, axis: null, style: { background: 'none' }, x: { domain: [edges[0], edges.at(-1)] },
    marks: [Plot.rect(bars, { x1: 'from', x2: 'to', y1: 'low', y2: 'high', fill: 'fill', insetRight: 0.5 }), Plot.ruleX(lines, { stroke: 'var(--accent)', strokeWidth: 2 })] });
}

/** Steps of another subset are left out: its funnel is its own. */
function isOf(step, subset, subsets) {
  const [, part] = step.name.split('/');
  return !subsets.includes(part) || part === subset || step.name.startsWith('captions/');
}

function summary(steps, subset, overview) {
  const sources = steps.find((step) => step.name === 'sources');
  const shards = steps.find((step) => step.name === `shards/${subset}`);
  const selection = steps.find((step) => step.name === `selection/${subset}`);
  const failed = steps.reduce((sum, step) => sum + numOf(step, 'failed'), 0);
  const broken = steps.filter((step) => !step.adds_up);
  const kept = selection ? numOf(selection, 'ok') : 0;
  return el('div', { class: 'figures' },
    sources && figure('in', hours(sources.hours_in), `${count(sources.num_in)} files, ${bytes(sources.size_bytes_in)}`),
    selection && figure(`kept in ${subset}`, count(kept), `of ${count(selection.num_in)} clips, ${percent(kept / selection.num_in)}`),
    selection && figure('kept', hours(selection.hours_out), `of ${hours(selection.hours_in)} of clips`),
    shards && figure('samples', count(shards.num_out), bytes(shards.size_bytes_out)),
    figure('failed', count(failed), failed ? el('a', { href: panelHref('failures') }, 'see why') : 'nothing', { class: `figure${failed ? ' warn' : ''}` }),
    figure('check', broken.length ? `${broken.length} do not` : 'adds up', 'in = kept + rejected + failed + waiting', { class: `figure ${broken.length ? 'bad' : 'good'}`, id: 'check' }),
    selection && !kept && !overview.run?.is_alive && el('p', { class: 'state' }, 'Nothing is kept. ', el('a', { href: panelHref('measures') }, 'Move a threshold'), ' to see what would come back.'));
}

function unitPicker(unit) {
  return el('div', { class: 'tabs', role: 'group', 'aria-label': 'Count in' }, Object.entries(UNITS).map(([name, label]) =>
    el('a', { href: href({ unit: name }, state()), 'aria-current': name === unit ? 'true' : null }, label)));
}

function drawnStep(step, unit, meanings, subset) {
  const { of, into, out, say } = amount[unit];
  const whole = into(step);
  const isSelection = step.name.startsWith('selection/');
  const reasons = step.outcomes.filter((outcome) => outcome.status !== 'ok');
  return el('li', { 'data-step': step.name },
    el('div', { class: 'line' },
      el('h2', {}, step.name),
      el('span', {}, `${say(whole)} ${unit === 'clips' ? step.unit : ''} in, ${say(out(step))} out`),
      el('span', { class: step.adds_up ? 'check good' : 'check bad' }, step.adds_up ? '✓ adds up' : '✗ does not add up: run moviola verify')),
    el('div', { class: 'bar', role: 'img', 'aria-label': STATES.map((name) => `${name} ${count(numOf(step, name))}`).join(', ') },
      STATES.map((name) => step.outcomes.filter((outcome) => outcome.status === name)).flat().filter((outcome) => of(outcome) > 0).map((outcome) =>
        el('span', { class: outcome.status, style: `flex-grow:${of(outcome) / Math.max(whole, 1e-12)}`, title: `${words(outcome.reason ?? outcome.status)}: ${say(of(outcome))}` }))),
    reasons.length > 0 && el('ul', { class: 'reasons' }, reasons.map((outcome) => el('li', { class: outcome.status },
      el('a', { href: linkOf(step, outcome, isSelection, subset), title: meanings[outcome.reason] ?? '' }, words(outcome.reason ?? outcome.status)),
      ' ', el('b', {}, say(of(outcome))), el('small', {}, ` ${percent(of(outcome) / whole)}`)))));
}

function linkOf(step, outcome, isSelection, subset) {
  if (isSelection) return panelHref('examples', { subset, verdict: 'rejected', reason: outcome.reason });
  return panelHref('failures', { stage: step.name, why: outcome.reason });
}

const numOf = (step, status) => step.outcomes.filter((one) => one.status === status).reduce((sum, one) => sum + one.num, 0);

function rowsOf(steps) {
  return steps.flatMap((step) => step.outcomes.map(({ status, reason, num, hours: long, size_bytes }) => (
    { step: step.name, unit: step.unit, num_in: step.num_in, status, reason, num, hours: long, size_bytes, adds_up: step.adds_up })));
}

export default {
  id: 'funnel',
  title: 'Funnel',
  hint: 'What went into each step, what came out, and what was lost to which reason.',
  draw,
};
