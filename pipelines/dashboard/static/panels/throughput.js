// How fast each stage went, what it cost, and how the run at work is getting on.

import { ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { count, duration, hours, number, percent, time, words } from '../core/format.js';
import { copyable, emptyState, exports, figure, table } from '../core/parts.js';
import { go, href, note, panelHref } from '../core/state.js';

const LIVE_MS = 3000;
const IDLE_MS = 6000;
const COSTS_EVERY = 5;
const DEFAULT_PRICE = '0.04';
const ORDER = ['sources', 'videos', 'clips', 'scores', 'selection', 'concepts', 'captions', 'shards', 'latents'];
const COLOURS = ['#4269d0', '#efb118', '#ff725c', '#3ca951', '#a463f2', '#6cc5b0', '#9c6b4e', '#ff8ab7'];

async function draw(body, { state, signal }) {
  const places = {};
  for (const name of ['live', 'course', 'costs', 'runs']) places[name] = el('div', { class: 'body' });
  const [told, spent] = await Promise.all([
    ask('throughput', { run: state.run }, signal), ask('costs', { subset: state.subset ?? '' }, signal)]);
  if (!told.runs.length) {
    replace(body, emptyState('No run has written anything yet', 'Rates come from the commits of runs. Start one:',
      'moviola curate movie-gen-256p --input FOOTAGE --workspace WORKSPACE'));
    return undefined;
  }
  replace(body, places.live, places.course, places.costs, places.runs);
  const page = { state, places, shown: {}, wasLive: false };
  show(page, told);
  showCosts(page, spent);
  return follow(page, told, signal);
}

/** Asks again and again; only what has changed is drawn anew. Returns what stops that. */
function follow(page, first, signal) {
  let timer = 0;
  let round = 0;
  const again = (told) => { timer = setTimeout(look, told.live ? LIVE_MS : IDLE_MS); };
  async function look() {
    let told = first;
    try {
      told = await ask('throughput', { run: page.state.run }, signal);
      show(page, told);
      round += 1;
      if (told.live && round % COSTS_EVERY === 0) {
        showCosts(page, await ask('costs', { subset: page.state.subset ?? '' }, signal));
      }
    } catch (error) {
      if (error.name === 'AbortError' || signal.aborted) return;
      page.places.live.prepend(el('p', { class: 'bad', role: 'status' }, error.message));
    }
    again(told);
  }
  again(first);
  return () => clearTimeout(timer);
}

function show(page, told) {
  const { live, course, runs } = page.places;
  // The page as a whole is not drawn anew for each commit of a run: this panel looks by itself.
  live.classList.toggle('busy', Boolean(told.live));
  const hasEnded = page.wasLive && !told.live;
  page.wasLive = Boolean(told.live);
  if (hasEnded) {
    go(location.search);
    return;
  }
  replace(live, told.live ? liveCard(told.live, told.now_ms) : idleCard(told));
  ifChanged(page, 'course', told.chosen, () => replace(course, ...courseOf(told)));
  ifChanged(page, 'runs', told.runs, () => replace(runs, runsTable(told)));
}

function ifChanged(page, name, value, action) {
  const text = JSON.stringify(value);
  if (page.shown[name] === text) return;
  page.shown[name] = text;
  action();
}

const ago = (ms, now) => (ms === null || ms === undefined ? 'never' : `${duration(Math.max(0, Math.round((now - ms) / 1000)))} ago`);
const clock = (ms) => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
const perSecond = (rate) => (rate === null || rate === undefined ? '–' : rate >= 1 || !rate ? `${number(rate)} /s` : `${number(rate * 60)} /min`);

function liveCard(live, now) {
  if (!live.stage) {
    return el('section', { class: 'card roomy' }, el('h2', {}, 'A run is at work'),
      el('p', {}, `${live.command} on ${live.host}, since ${time(live.since)}: nothing committed yet; last heard of ${ago(live.heard_ms, now)}.`));
  }
  const share = live.total ? live.done / live.total : null;
  const whole = live.total === null ? 'of an unknown number' : `of ${live.total_is === 'exact' ? '' : 'at most '}${count(live.total)}`;
  return el('section', { class: 'card roomy pace', 'aria-label': 'The run at work' },
    el('div', { class: 'row' }, el('h2', {}, `At work: ${live.stage}`), el('span', { class: 'hint' }, `run ${live.run} on ${live.host}`)),
    share !== null && el('div', { class: 'progress', role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': Math.round(100 * share), 'aria-label': `${live.stage}: ${percent(share)}` },
      el('span', { style: `width:${100 * share}%` })),
    el('div', { class: 'figures' },
      figure('rows done', count(live.done), whole),
      figure('rate now', perSecond(live.rows_per_s), `over the last ${duration(Math.round(live.window_s))}`),
      figure('left at this rate', live.eta_s === null ? '–' : `${live.total_is === 'exact' ? '' : '≤ '}${duration(Math.round(live.eta_s))}`,
        live.eta_s === null ? (live.total === null ? 'the total is not known' : 'nothing came in that time') : `until ${clock(now + 1000 * live.eta_s).slice(11, 16)} UTC`),
      figure('last rows', ago(live.last_ms, now), live.last_ms ? clock(live.last_ms) : 'of this stage in this run'),
      figure('last heard of', ago(live.heard_ms, now), clock(live.heard_ms))),
    el('p', { class: 'hint' }, live.command));
}

function idleCard(told) {
  const [last] = told.runs;
  const died = told.runs.find((run) => run.state === 'died');
  return el('p', { class: 'hint' }, died
    ? `Run ${died.run} has died; what it committed stays, and the same command goes on from there: ${died.command}`
    : `No run is at work. The last one, ${last.run}, wrote until ${clock(last.ended_ms)}; what is shown is final until another begins.`);
}

function courseOf(told) {
  const { run, stages } = told.chosen;
  const made = sorted(stages.filter((stage) => stage.is_stage));
  const picker = el('label', {}, 'run ', el('select', { onchange: (e) => go(href({ run: e.target.value })) },
    told.runs.map((one) => el('option', { value: one.run, selected: one.run === run }, `${clock(one.began_ms)} · ${count(one.rows)} rows`))));
  const chart = made.some((stage) => stage.rows) ? timeline(made) : null;
  return [el('section', { class: 'card roomy' },
    el('div', { class: 'row' }, el('h2', {}, 'Rows committed over time'), picker),
    chart ?? el('p', { class: 'hint' }, 'This run has committed no rows of a stage.'),
    table([
      { name: 'stage', of: (row) => row.table },
      { name: 'rows', num: true, of: (row) => count(row.rows) },
      { name: 'withdrawn', num: true, of: (row) => (row.withdrawn ? count(row.withdrawn) : '–') },
      { name: 'began (UTC)', of: (row) => clock(row.began_ms).slice(0, 19) },
      { name: 'wall time', num: true, of: (row) => (row.is_stage ? duration(row.wall_s) : '–') },
      { name: 'rows per second', num: true, of: (row) => (row.is_stage ? number(row.rows_per_s) : 'one commit') },
    ], sorted(stages), { 'aria-label': 'Stages of the run' }),
    el('p', { class: 'hint' }, 'Wall time is from the first commit of the stage, before its workers start, to its last one. Withdrawn rows were made with other settings, of inputs that have changed, or are tried again. Times are of the clock of the host that ran.'),
    exports({ name: 'throughput', chart: chart && (() => chart.matches('svg') ? chart : chart.querySelector('svg:last-of-type')),
      rows: () => stages.map(({ line, ...row }) => ({ run, ...row })) }))];
}

const place = (name) => ORDER.indexOf(name.split('/')[0]);
const sorted = (stages) => [...stages].sort((a, b) => place(a.table) - place(b.table) || a.table.localeCompare(b.table));

function timeline(stages) {
  const { Plot } = globalThis;
  const shown = stages.filter((stage) => stage.rows);
  const points = shown.flatMap((stage) => stage.line.map(([at, rows]) => ({ stage: stage.table, at: new Date(at), rows })));
  const ends = shown.map((stage) => ({ stage: stage.table, at: new Date(stage.line.at(-1)[0]), rows: stage.line.at(-1)[1] }));
  const width = Math.max(280, Math.min(1100, (document.getElementById('panel')?.clientWidth ?? 900) - 90));
  return Plot.plot({
    width, height: 250, marginLeft: 56, marginRight: 20, marginTop: 24,
    style: { background: 'none', fontSize: '12px', fontFamily: 'inherit' },
    ariaLabel: `Rows committed over time: ${shown.map((stage) => `${stage.table} ${count(stage.rows)}`).join(', ')}`,
    x: { type: 'utc', label: 'UTC →' }, y: { label: '↑ rows', grid: true, zero: true },
    color: { domain: shown.map((stage) => stage.table), range: COLOURS, legend: true },
    marks: [
      Plot.ruleY([0], { stroke: 'var(--line)' }),
      Plot.lineY(points, { x: 'at', y: 'rows', stroke: 'stage', curve: 'step-after', strokeWidth: 2 }),
      Plot.dot(points.length > 300 ? ends : points, { x: 'at', y: 'rows', fill: 'stage', r: 2.5, title: (d) => `${d.stage}\n${count(d.rows)} rows at ${clock(d.at)}` }),
      Plot.text(ends, { x: 'at', y: 'rows', text: 'stage', dy: -10, fill: 'var(--ink)', textAnchor: 'end' }),
    ],
  });
}

function showCosts(page, spent) {
  ifChanged(page, 'costs', spent, () => replace(page.places.costs, ...costCards(page, spent)));
}

function costCards(page, spent) {
  const figures = el('div', { class: 'figures' });
  const rows = el('div', {});
  const input = el('input', { type: 'number', min: 0, step: 'any', value: page.state.price ?? DEFAULT_PRICE, inputmode: 'decimal', style: 'width:8em',
    oninput: () => {
      note({ price: input.value });
      page.state.price = input.value;
      fill();
    } });
  const fill = () => {
    const price = Number.parseFloat(input.value);
    replace(figures, ...subsetFigures(spent, Number.isFinite(price) ? price : null));
    replace(rows, costTable(spent, Number.isFinite(price) ? price : null));
  };
  fill();
  const cpu = spent.subset?.cpu_hours ?? {};
  return [
    el('section', { class: 'card roomy' },
      el('div', { class: 'row' }, el('h2', {}, `What ${spent.subset?.subset ?? 'it'} costs`), el('label', {}, 'price of a CPU-hour ', input)),
      figures, rows,
      el('p', { class: 'hint' }, 'CPU time of the rows that are in the tables. Steps that subsets share count in full, and so do clips that were rejected on the way: there are no kept ones without them. Not in it: rows withdrawn since, the start of workers, GPUs, caption servers, storage.'),
      exports({ name: 'costs', rows: () => Object.entries(cpu).map(([stage, cpu_hours]) => ({ subset: spent.subset.subset, stage, cpu_hours, num_kept: spent.subset.num_kept, hours_kept: spent.subset.hours_kept })) })),
    el('div', { class: 'columns' }, statusCard(spent), sourcesCard(spent)),
    slowestCard(spent),
  ];
}

const money = (value) => (value === null || !Number.isFinite(value) ? '–' : number(value));

function subsetFigures(spent, price) {
  const { subset, decoded } = spent;
  const speed = figure('decoding', decoded.cpu_hours ? `${number(decoded.hours / decoded.cpu_hours)} ×` : '–', 'hours of video decoded and measured per CPU-hour');
  if (!subset) return [speed];
  const total = Object.values(subset.cpu_hours).reduce((sum, one) => sum + one, 0);
  const { num_kept: num, hours_kept: long } = subset;
  if (!num) return [speed, figure('kept', '0', 'no clip is kept, so none has a price', { class: 'figure warn' })];
  return [
    figure('kept', el('a', { href: panelHref('examples', { verdict: 'kept' }) }, count(num)), `clips, ${hours(long)} of video`),
    figure('CPU time', hours(total), 'of all steps up to latents'),
    figure('per kept clip', duration((3600 * total) / num), 'of CPU time'),
    figure('per kept hour', long ? hours(total / long) : '–', 'of CPU time'),
    figure('1,000 kept clips', money(price === null ? null : (1000 * price * total) / num), `at ${price ?? '–'} per CPU-hour`),
    figure('a kept hour', money(price === null || !long ? null : (price * total) / long), `at ${price ?? '–'} per CPU-hour`),
    speed,
  ];
}

function costTable(spent, price) {
  if (!spent.subset) return null;
  const { cpu_hours: cpu, num_kept: num } = spent.subset;
  const total = Object.values(cpu).reduce((sum, one) => sum + one, 0);
  return table([
    { name: 'step', of: ([stage]) => stage },
    { name: 'CPU time', num: true, of: ([, one]) => hours(one) },
    { name: 'share', num: true, of: ([, one]) => (total ? percent(one / total) : '–') },
    { name: 'CPU per kept clip', num: true, of: ([, one]) => (num ? duration((3600 * one) / num) : '–') },
    { name: 'price per 1,000 kept', num: true, of: ([, one]) => money(price === null || !num ? null : (1000 * price * one) / num) },
  ], Object.entries(cpu), { 'aria-label': 'Cost by step' });
}

function statusCard(spent) {
  return el('section', { class: 'card roomy' }, el('h2', {}, 'CPU time per row'),
    table([
      { name: 'stage', of: (row) => row.stage },
      { name: 'status', of: (row) => (row.status === 'failed' ? el('a', { href: panelHref('failures', { stage: row.stage }) }, row.status) : row.status ?? '–') },
      { name: 'rows', num: true, of: (row) => count(row.num) },
      { name: 'CPU per row', num: true, of: (row) => (row.num_timed ? duration(row.cpu_s / row.num_timed) : '–') },
      { name: 'most', num: true, of: (row) => duration(row.most_s) },
    ], spent.stages, { 'aria-label': 'CPU time per row by stage and status' }),
    exports({ name: 'cpu-by-status', rows: () => spent.stages }));
}

function sourcesCard(spent) {
  return el('section', { class: 'card roomy' }, el('h2', {}, 'Dearest sources'),
    table([
      { name: 'source', of: (row) => row.source ?? el('i', {}, 'not stated') },
      { name: 'files', num: true, of: (row) => count(row.num_files) },
      { name: 'failed', num: true, of: (row) => {
        const failed = row.num_failed + row.num_passes_failed;
        return failed ? el('a', { href: panelHref('failures') }, count(failed)) : '0';
      } },
      { name: 'video', num: true, of: (row) => hours(row.hours) },
      { name: 'CPU time', num: true, of: (row) => hours(row.cpu_s / 3600) },
    ], spent.sources, { 'aria-label': 'Sources by CPU time' }),
    exports({ name: 'sources', rows: () => spent.sources }));
}

function slowestCard(spent) {
  if (!spent.slowest.length) return null;
  const file = (row) => row.uri?.split('/').at(-1) ?? row.video_id;
  return el('section', { class: 'card roomy' }, el('h2', {}, 'Slowest videos'),
    table([
      { name: 'file', of: (row) => el('a', { href: panelHref('examples', { video: row.video_id, order: 'time' }), title: row.uri }, file(row)) },
      { name: 'CPU time', num: true, of: (row) => duration(row.cpu_s) },
      { name: 'CPU per second of video', num: true, of: (row) => (row.cpu_per_s === null ? '–' : duration(row.cpu_per_s)) },
      { name: 'length', num: true, of: (row) => duration(row.decoded_s) },
      { name: 'size', num: true, of: (row) => (row.width ? `${row.width}×${row.height}` : '–') },
      { name: 'codec', of: (row) => row.codec ?? '–' },
      { name: 'clips', num: true, of: (row) => (row.num_clips === null ? '–' : count(row.num_clips)) },
      { name: 'status', of: (row) => (row.status === 'ok' ? 'ok' : `${row.status}: ${words(row.reason ?? '')}`) },
    ], spent.slowest, { 'aria-label': 'Slowest videos' }),
    exports({ name: 'slowest-videos', rows: () => spent.slowest }));
}

function runsTable(told) {
  return el('section', { class: 'card roomy' }, el('h2', {}, 'Recent runs'),
    table([
      { name: 'began (UTC)', of: (row) => el('a', { href: href({ run: row.run }) }, clock(row.began_ms)) },
      { name: 'state', of: (row) => el('span', { class: row.state === 'died' ? 'bad' : row.state === 'at work' ? 'good' : '' }, row.state) },
      { name: 'wall time', num: true, of: (row) => duration((row.ended_ms - row.began_ms) / 1000) },
      { name: 'rows', num: true, of: (row) => count(row.rows) },
      { name: 'withdrawn', num: true, of: (row) => (row.withdrawn ? count(row.withdrawn) : '–') },
      { name: 'recipe', of: (row) => el('code', {}, row.recipe) },
      { name: 'code', of: (row) => row.code },
      { name: 'host', of: (row) => row.host },
      { name: 'command', of: (row) => el('code', { class: 'command' }, row.command) },
    ], told.runs, { 'aria-label': 'Recent runs' }),
    told.num_runs > told.runs.length && el('p', { class: 'hint' }, `The last ${told.runs.length} of ${count(told.num_runs)}.`),
    told.chosen.run && el('details', {}, el('summary', {}, 'The command of the chosen run'),
      copyable(told.runs.find((run) => run.run === told.chosen.run)?.command ?? '')),
    exports({ name: 'runs', rows: () => told.runs }));
}

export default {
  id: 'throughput',
  title: 'Throughput',
  hint: 'How fast each stage went, what a kept clip costs, and how the run at work is getting on. All times are UTC.',
  draw,
};
