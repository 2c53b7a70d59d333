// The stages of training runs: loss beside its floors, where it comes from, samples, recipes.

import { ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { count, duration, number, percent } from '../core/format.js';
import { emptyState, exports, figure, table } from '../core/parts.js';
import { go, href, panelHref } from '../core/state.js';
import { heatmap, lossOverSteps, lossOverTimes, overSteps, timesOverSteps } from './training_charts.js';
import { samplesCard } from './training_samples.js';

const LOOK_MS = 3000;
const AT_WORK_S = 180;

async function draw(body, { state, overview, signal }) {
  const told = await ask('runs', {}, signal);
  if (!told.runs.length) {
    replace(body, emptyState(told.given.length ? 'There is no training run in these folders' : 'No training run was named',
      told.given.length ? `A run is a folder with a recipe.json; looked in, and one level below: ${told.given.join(', ')}` : 'Name the folder of a run, or one that holds several, when you start the dashboard:',
      `moviola dashboard '${overview.workspace}' --run RUN`));
    return undefined;
  }
  const run = told.runs.find((one) => String(one.run) === state.of) ?? told.runs[0];
  const begun = run.stages.filter((stage) => stage.has_begun);
  const chosen = run.stages.find((stage) => stage.stage === state.stage) ?? begun.at(-1) ?? run.stages[0];
  const places = {};
  for (const name of ['figures', 'curves', 'evaluation', 'others', 'samples', 'changes']) places[name] = el('div', { class: 'body' });
  // Commits to the workspace change nothing here, and playing videos are not to be drawn anew.
  const all = el('div', { class: 'body busy' }, pickers(told.runs, run, chosen), !run.is_readable && el('p', { class: 'bad' }, 'Its recipe.json cannot be read.'));
  replace(body, all);
  if (!chosen?.has_begun) {
    all.append(emptyState('This stage has not begun', 'It begins when the stage before it is finished.'), places.changes);
    await showChanges(places.changes, told.runs, run, state, signal);
    return undefined;
  }
  all.append(...Object.values(places));
  const page = { run, stage: chosen.stage, state, places, shown: {}, workspace: overview.workspace };
  await refresh(page, signal);
  await showChanges(places.changes, told.runs, run, state, signal);
  return follow(page, chosen.metrics_s, signal);
}

/** Looks whether the metrics have grown, and only then asks for them. Returns what stops that. */
function follow(page, written, signal) {
  let timer = 0;
  let last = written;
  async function look() {
    try {
      const { runs } = await ask('runs', {}, signal);
      const stage = runs.find((one) => one.run === page.run.run)?.stages.find((one) => one.stage === page.stage);
      if (stage && (stage.metrics_s !== last || page.share < 1 || stage.is_finished !== page.told.is_finished)) {
        last = stage.metrics_s;
        await refresh(page, signal);
      } else {
        showFigures(page, page.told);
      }
    } catch (error) {
      if (error.name === 'AbortError' || signal.aborted) return;
      page.places.figures.prepend(el('p', { class: 'bad', role: 'status' }, error.message));
    }
    timer = setTimeout(look, page.share < 1 ? 200 : LOOK_MS);
  }
  timer = setTimeout(look, page.share < 1 ? 200 : LOOK_MS);
  return () => clearTimeout(timer);
}

async function refresh(page, signal) {
  const at = `runs/${page.run.run}/${encodeURIComponent(page.stage)}`;
  const told = await ask(at, {}, signal);
  page.told = told;
  page.share = told.read_share;
  showFigures(page, told);
  showCurves(page, told);
  await showEvaluation(page, told, at, signal);
  const key = JSON.stringify(told.sample_steps);
  if (page.shown.samples !== key) {
    page.shown.samples = key;
    const { steps } = await ask(`${at}/samples`, {}, signal);
    replace(page.places.samples, samplesCard(steps, at, page.state.steps === 'all'));
  }
}

function pickers(runs, run, chosen) {
  return el('div', { class: 'row' },
    el('label', {}, 'run ', el('select', { onchange: (e) => go(href({ of: e.target.value, stage: null, eval: null })) },
      runs.map((one) => el('option', { value: one.run, selected: one.run === run.run }, one.name)))),
    el('div', { class: 'tabs', role: 'group', 'aria-label': 'Stage' }, run.stages.map((stage) =>
      el('a', { href: href({ of: run.run, stage: stage.stage, eval: null }), 'aria-current': stage.stage === chosen?.stage ? 'true' : null },
        stage.stage, stage.is_finished ? ' ✓' : stage.has_begun ? '' : ' (not begun)'))),
    el('span', { class: 'hint' }, run.folder));
}

const last = (curve) => (curve ? curve.mean.at(-1) : null);

function stateOf(told) {
  if (told.is_finished) return ['finished', 'its model.safetensors is written', 'figure good'];
  if (told.written_s === null) return ['begun', 'no metrics yet', 'figure'];
  const age = Date.now() / 1000 - told.written_s;
  const heard = `metrics last written ${duration(Math.max(0, Math.round(age)))} ago`;
  return age < AT_WORK_S ? ['at work', heard, 'figure good'] : ['silent', heard, 'figure warn'];
}

function showFigures(page, told) {
  const { curves } = told;
  const [state, heard, kind] = stateOf(told);
  const ratio = curves.loss && curves.floor_gaussian ? last(curves.loss) / last(curves.floor_gaussian) : null;
  const held = told.evaluations.at(-1);
  const left = told.steps && told.steps_per_s && !told.is_finished ? (told.steps - told.last_step) / told.steps_per_s : null;
  replace(page.places.figures,
    told.read_share < 1 && el('p', { class: 'hint', role: 'status' }, `Reading the metrics: ${percent(told.read_share)} so far.`),
    el('div', { class: 'figures' },
      figure('state', state, heard, { class: kind }),
      figure('step', count(told.last_step), told.steps ? `of ${count(told.steps)}` : 'of an unknown number'),
      figure('training loss', number(last(curves.loss)), ratio === null ? null : `${percent(ratio)} of the Gaussian floor`),
      held && figure('held-out loss', number(held.loss), held.interval ? `${number(held.interval[0])} to ${number(held.interval[1])} at 95 %` : `at step ${count(held.step)}`),
      curves.tokens_per_s && figure('tokens per s', number(last(curves.tokens_per_s)), curves.samples_per_s ? `${number(last(curves.samples_per_s))} samples per s` : null),
      curves.mfu && figure('MFU', percent(last(curves.mfu)), 'share of the peak that the recipe or the device states'),
      told.steps_per_s !== null && !told.is_finished && figure('steps per s', number(told.steps_per_s), left === null ? 'seen since this page looks' : `${duration(Math.round(left))} left at this rate`)),
    told.num_broken > 0 && el('p', { class: 'hint' }, `${count(told.num_broken)} lines of metrics.jsonl are no whole JSON, as a run that was killed leaves them; they are left out.`));
}

function showCurves(page, told) {
  const { loss } = told.curves;
  const log = page.state.scale === 'log';
  if (!loss) {
    replace(page.places.curves, el('p', { class: 'hint' }, 'No line of training has been written yet.'));
    return;
  }
  const chart = lossOverSteps(told, log);
  const others = Object.entries(told.curves).filter(([name]) => !['loss', 'floor_gaussian', 'unreadable'].includes(name) || (name === 'unreadable' && Math.max(...told.curves.unreadable.mean) > 0));
  replace(page.places.curves, el('section', { class: 'card roomy' },
    el('div', { class: 'row' }, el('h2', {}, 'Loss over steps'),
      el('div', { class: 'tabs', role: 'group', 'aria-label': 'Scale' }, [['linear', null], ['log', 'log']].map(([name, value]) =>
        el('a', { href: href({ scale: value }), 'aria-current': (value === 'log') === log ? 'true' : null }, name)))),
    chart,
    el('p', { class: 'hint' }, 'The floor is the least loss were the latents white noise, at the times that were drawn: a model below it knows how latents hang together. Smoothed with an exponential mean. ',
      loss.lines_per_bin > 1 && `Each point is the mean of ${count(loss.lines_per_bin)} lines; the band is their least and most.`),
    exports({ name: `loss-${page.stage}`, chart: () => svgOf(chart), rows: () => curveRows(told.curves) })));
  replace(page.places.others, el('section', { class: 'card roomy' }, el('h2', {}, 'Over steps'),
    el('div', { class: 'small-charts' }, others.map(([name, curve]) => overSteps(name, curve)))));
}

const svgOf = (node) => (node.matches('svg') ? node : [...node.querySelectorAll('svg')].at(-1));

function curveRows(curves) {
  const names = Object.keys(curves);
  const rows = new Map();
  for (const name of names) {
    curves[name].step.forEach((step, at) => {
      const row = rows.get(step) ?? Object.fromEntries([['step', step], ...names.map((one) => [one, null])]);
      row[name] = curves[name].mean[at];
      rows.set(step, row);
    });
  }
  return [...rows.values()].sort((a, b) => a.step - b.step);
}

async function showEvaluation(page, told, at, signal) {
  const { evaluations } = told;
  if (!evaluations.length) {
    replace(page.places.evaluation, el('section', { class: 'card roomy' }, el('h2', {}, 'Held-out loss'),
      el('p', { class: 'hint' }, 'Nothing has been evaluated yet. Samples are held out where the stage of the recipe has data.held_out_share above 0.')));
    return;
  }
  const steps = evaluations.map((one) => one.step);
  const step = steps.includes(Number(page.state.eval)) ? Number(page.state.eval) : steps.at(-1);
  const key = JSON.stringify([step, steps]);
  if (page.shown.evaluation === key) return;
  page.shown.evaluation = key;
  const whole = await ask(`${at}/evaluation`, { step }, signal);
  const place = steps.indexOf(step);
  const picker = el('div', { class: 'row' }, el('h2', {}, 'Held-out loss'),
    el('a', { class: 'step', href: place > 0 ? href({ eval: steps[place - 1] }) : null, 'aria-label': 'Earlier evaluation' }, '‹'),
    el('label', {}, 'at step ', el('select', { onchange: (e) => go(href({ eval: e.target.value })) },
      steps.map((one) => el('option', { value: one, selected: one === step }, count(one))))),
    el('a', { class: 'step', href: place < steps.length - 1 ? href({ eval: steps[place + 1] }) : null, 'aria-label': 'Later evaluation' }, '›'),
    el('span', { class: 'hint' }, `${number(whole.loss)} ± ${number(whole.standard_error)} (standard error), of ${count(whole.num_samples ?? 0)} samples`));
  const times = lossOverTimes(evaluations, step);
  const overall = timesOverSteps(evaluations);
  const map = heatmap(whole.by_time_and_bucket ?? {});
  replace(page.places.evaluation, el('section', { class: 'card roomy' }, picker,
    el('div', { class: 'columns' },
      el('div', {}, el('h3', {}, 'over the time t of the flow, with its floor'), times, exports({ name: 'loss-over-t', chart: () => svgOf(times), rows: () => whole.by_time ?? [] })),
      el('div', {}, el('h3', {}, 'over steps, for each t, as a share of the floor'), overall, exports({ name: 'loss-by-t', chart: () => svgOf(overall), rows: () => evaluations.flatMap((one) => one.by_time.map(([time, loss, floor]) => ({ step: one.step, time, loss, floor }))) })),
      map && el('div', {}, el('h3', {}, 'by bucket and t, as a share of the floor'), map, exports({ name: 'loss-by-bucket-and-t', chart: () => svgOf(map), rows: () => Object.entries(whole.by_time_and_bucket).flatMap(([bucket, rows]) => rows.map((row) => ({ bucket, ...row }))) })),
      ...groups(page, told, whole))));
}

function groups(page, told, whole) {
  const isHere = told.data.workspace === page.workspace;
  const named = [['by_bucket', 'bucket', null], ['by_concept', 'concept', isHere ? (name) => panelHref('examples', { concept: name, verdict: 'kept' }) : null], ['by_source', 'source', null]];
  return named.filter(([field]) => Object.keys(whole[field] ?? {}).length).map(([field, name, link]) => {
    const rows = Object.entries(whole[field]).map(([key, loss]) => ({ name: key, ...loss })).sort((a, b) => b.excess_gaussian - a.excess_gaussian);
    return el('div', {}, el('h3', {}, `by ${name}, the worst above its floor first`),
      table([
        { name, of: (row) => (link && row.name !== 'none' ? el('a', { href: link(row.name) }, row.name) : row.name) },
        { name: 'loss', num: true, of: (row) => number(row.loss) },
        { name: '95 % interval', num: true, of: (row) => (row.interval ? `${number(row.interval[0])} – ${number(row.interval[1])}` : '–') },
        { name: 'above the floor', num: true, of: (row) => number(row.excess_gaussian) },
        { name: 'samples', num: true, of: (row) => count(row.num_samples) },
      ], rows.slice(0, 30), { 'aria-label': `Loss by ${name}` }),
      rows.length > 30 && el('p', { class: 'hint' }, `The first 30 of ${count(rows.length)}; the CSV has all.`),
      exports({ name: `loss-${field}`, rows: () => rows.map(({ interval, ...row }) => ({ ...row, low: interval?.[0], high: interval?.[1] })) }));
  });
}

async function showChanges(place, runs, run, state, signal) {
  const others = runs.filter((one) => one.run !== run.run);
  const against = others.find((one) => String(one.run) === state.against) ?? null;
  const facts = el('details', {}, el('summary', {}, 'What made this run'), el('dl', { class: 'facts' },
    Object.entries(run.versions).map(([name, value]) => [el('dt', {}, name), el('dd', {}, String(value))]),
    run.stages.filter((one) => one.data.versions).map((one) => [el('dt', {}, `${one.stage} read`), el('dd', {}, `${Object.entries(one.data.versions).map(([table_, version]) => `${table_} version ${version}`).join(', ')} of ${one.data.workspace}${one.data.encoder_hash ? `, encoder ${one.data.encoder_hash}` : ''}`)])));
  const picker = others.length > 0 && el('label', {}, 'against ', el('select', { onchange: (e) => go(href({ against: e.target.value || null })) },
    el('option', { value: '' }, 'choose a run'), others.map((one) => el('option', { value: one.run, selected: one === against }, one.name))));
  const card = el('section', { class: 'card roomy' }, el('div', { class: 'row' }, el('h2', {}, 'Recipe'), picker), !others.length && el('p', { class: 'hint' }, 'With a second --run, its recipe is compared with this one here.'));
  replace(place, card);
  if (against) {
    const told = await ask('run-changes', { run: run.run, against: against.run }, signal);
    card.append(told.changes.length ? table([
      { name: 'key', of: (row) => el('code', {}, row.key) },
      { name: told.names[0], of: (row) => el('code', { class: 'value' }, row.before ?? 'not there') },
      { name: told.names[1], of: (row) => el('code', { class: 'value' }, row.after ?? 'not there') },
    ], told.changes, { 'aria-label': 'Changes of the recipe' }) : el('p', {}, 'The recipes are the same.'),
    el('p', { class: 'hint' }, `${count(told.num_same)} keys are the same.`),
    exports({ name: 'recipe-changes', rows: () => told.changes }));
  }
  card.append(facts);
}

export default {
  id: 'training',
  title: 'Training',
  hint: 'Losses beside the floors that they cannot simply fall below, samples step by step, and what was trained on.',
  draw,
};
