// What failed, was turned away, or waits, with the whole error and the commands that help.

import { address, ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { bytes, count, duration, percent, shareOf, words } from '../core/format.js';
import { copyable, emptyState, exports, figure, table, waiting } from '../core/parts.js';
import { go, href, panelHref } from '../core/state.js';

const PAGE = 20;
const TYPING_MS = 350;
const SAID = { failed: 'failed', rejected: 'turned away', waiting: 'waiting' };

async function draw(body, { state: wanted, overview, signal }) {
  const { stages } = await ask('failures', {}, signal);
  if (!stages.length) {
    replace(body, emptyState('Nothing has gone in yet', 'The workspace has no input files. Curate some footage into it:',
      `moviola curate movie-gen-256p --input FOOTAGE --workspace '${overview.workspace}'`));
    return;
  }
  const troubled = stages.filter((stage) => stage.classes.length);
  const chosen = stages.find((stage) => stage.stage === wanted.stage);
  const slow = el('section', { class: 'card' }, waiting());
  const detail = chosen && el('section', { class: 'card detail', id: 'rows' }, waiting());
  replace(body, el('div', { class: 'failures-panel' }, summary(stages),
    troubled.length ? overviewTable(troubled, wanted) : emptyState('Nothing failed', 'Every input of every step has a row that came through or was decided on.'),
    detail, slow));
  await Promise.all([chosen && drawDetail(detail, chosen, wanted, signal), drawSlowest(slow, signal)]);
}

function summary(stages) {
  const of = (status) => stages.flatMap((stage) => stage.classes).filter((one) => one.status === status).reduce((sum, one) => sum + one.num, 0);
  const failed = of('failed');
  const waits = of('waiting');
  return el('div', { class: 'figures' },
    figure('failed', count(failed), 'rows, at any step', { class: `figure ${failed ? 'bad' : 'good'}` }),
    figure('turned away', count(of('rejected')), 'by metadata, or in a step'),
    figure('waiting', count(waits), waits ? 'the run did not come to them' : 'nothing', { class: `figure${waits ? ' warn' : ''}` }),
    el('p', { class: 'hint quarantine' }, 'Nothing is lost: each of these keeps its row, with its error, in the table of its step. It is tried again by the commands below, or when its file or the recipe changes.'));
}

function overviewTable(stages, wanted) {
  const rows = stages.flatMap(({ stage, num_in, classes }) => classes.map((one) => ({ stage, num_in, ...one })));
  return el('section', { class: 'card' }, el('h2', {}, 'By step and class'),
    table([
      { name: 'step', of: (row) => row.stage },
      { name: 'state', of: (row) => el('span', { class: `status ${row.status}` }, SAID[row.status] ?? row.status) },
      { name: 'class', of: (row) => el('a', { href: panelHref('failures', { stage: row.stage, why: row.why }), 'aria-current': row.stage === wanted.stage && row.why === wanted.why ? 'true' : null }, words(row.why)) },
      { name: 'rows', num: true, of: (row) => count(row.num) },
      { name: 'share', num: true, of: (row) => shareOf(row.num, row.num_in) },
      { name: 'what it means', of: (row) => el('span', { class: 'meaning' }, row.meaning) },
    ], rows, { 'aria-label': 'failures by step and class' }),
    exports({ name: 'failures', rows: () => rows.map(({ stage, status, why, meaning, num, num_in, cpu_s }) => ({ stage, status, why, meaning, num, num_in, cpu_s })) }));
}

async function drawDetail(section, stage, wanted, signal) {
  const { why, source, licence, search } = wanted;
  const asked = { stage: stage.stage, why, source, licence, search };
  const page = Number(wanted.page ?? 0);
  const [found, { groups }] = await Promise.all([
    ask('failures/rows', { ...asked, page, size: PAGE }, signal),
    ask('failures/groups', { stage: stage.stage, why }, signal),
  ]);
  const one = stage.classes.find((each) => each.why === why);
  replace(section,
    el('div', { class: 'row' }, el('h2', {}, why ? `${stage.stage}: ${words(why)}` : stage.stage),
      el('span', { class: 'note' }, one ? `${count(one.num)} rows, ${shareOf(one.num, stage.num_in)} inputs` : `${count(stage.num_in)} inputs`),
      el('a', { class: 'close', href: panelHref('failures') }, 'close')),
    one?.meaning && el('p', {}, `${one.meaning}.`),
    one && example(one.example, stage),
    sources(groups, wanted),
    el('div', { class: 'row' }, searchBox(search), (source || licence) && el('a', { href: href({ source: null, licence: null, page: null }) }, `only ${[source, licence].filter(Boolean).join(', ')} ✕`)),
    list(found, page),
    exports({ name: 'failures', links: ['csv', 'parquet'].map((format) => [`all ${count(found.num)} as ${format === 'csv' ? 'CSV' : 'Parquet'}`, address('failures/export', { ...asked, format })]) }));
}

function example(row, stage) {
  return el('div', { class: 'example' }, el('h3', {}, 'One of them'),
    row.uri && el('p', {}, el('code', {}, row.uri)),
    row.error && el('pre', { class: 'error', tabindex: 0 }, row.error),
    row.reproduce && [el('p', { class: 'hint' }, 'Does this file alone again, in a workspace of its own:'), copyable(row.reproduce)],
    row.status === 'failed' && stage.retry && [el('p', { class: 'hint' }, 'Tries all failed rows again; relative paths are from where it was typed:'), copyable(stage.retry)],
    row.go_on && [el('p', { class: 'hint' }, 'Goes on where the run stopped; relative paths are from where it was typed:'), copyable(row.go_on)]);
}

function sources(groups, wanted) {
  if (groups.length < 2 && !groups[0]?.licence) return null;
  return el('details', { open: groups.length <= 8 }, el('summary', {}, groups.length === 1 ? 'From one source' : `From ${groups.length} sources and licences`),
    table([
      { name: 'source', of: (row) => el('a', { href: href({ source: row.source, licence: row.licence, page: null }), 'aria-current': wanted.source === row.source ? 'true' : null }, row.source ?? 'unknown') },
      { name: 'licence', of: (row) => row.licence ?? 'unknown' },
      { name: 'rows', num: true, of: (row) => count(row.num) },
      { name: 'share', num: true, of: (row) => shareOf(row.num, row.num_in) },
    ], groups, { 'aria-label': 'where they come from' }));
}

function searchBox(search) {
  let timer = 0;
  const box = el('input', { type: 'search', 'data-search': true, placeholder: 'file, id or error', 'aria-label': 'search in file, id and error', '.value': search ?? '' });
  const apply = () => {
    clearTimeout(timer);
    box.classList.remove('busy');
    if (box.isConnected && box.value !== (search ?? '')) go(href({ search: box.value || null, page: null }));
  };
  box.addEventListener('input', () => {
    box.classList.add('busy');
    clearTimeout(timer);
    timer = setTimeout(apply, TYPING_MS);
  });
  // Not on `change`: that is also told of a box that is taken off the page.
  box.addEventListener('keydown', (event) => event.key === 'Enter' && apply());
  if (search && document.activeElement === document.body) requestAnimationFrame(() => box.focus({ preventScroll: true }));
  return box;
}

function list({ num, rows }, page) {
  if (!num) return el('p', {}, 'No row is like that.');
  const last = Math.ceil(num / PAGE) - 1;
  return [
    el('ul', { class: 'rows' }, rows.map(drawnRow)),
    last > 0 && el('div', { class: 'row' },
      page > 0 && el('a', { href: href({ page: page - 1 || null }) }, '← before'),
      el('span', { class: 'note' }, `page ${count(page + 1)} of ${count(last + 1)}, ${count(num)} rows`),
      page < last && el('a', { href: href({ page: page + 1 }) }, 'next →')),
  ];
}

function drawnRow(row) {
  const isClip = row.key !== row.uri && row.key !== row.video_id;
  return el('li', {}, el('details', {},
    el('summary', {}, el('span', { class: `status ${row.status}` }, words(row.reason ?? row.status)), ' ', el('code', {}, row.uri ?? row.key)),
    isClip && el('p', {}, 'clip ', el('a', { href: panelHref('clip', { clip: row.key }) }, row.key)),
    el('p', { class: 'note' }, [row.source && `source ${row.source}`, row.licence && `licence ${row.licence}`, row.cpu_s !== null && `${duration(row.cpu_s)} of CPU`].filter(Boolean).join(' · ')),
    row.error && el('pre', { class: 'error', tabindex: 0 }, row.error),
    row.reproduce && copyable(row.reproduce),
    row.go_on && copyable(row.go_on)));
}

const STEPS = ['sources', 'clips', 'scores', 'captions', 'shards', 'latents'];

async function drawSlowest(section, signal) {
  const { files, total_s } = await ask('failures/slowest', {}, signal);
  const most = Math.max(...files.map((file) => file.cpu_s ?? 0), 1e-9);
  replace(section, el('h2', {}, 'Slowest files'),
    el('p', { class: 'hint' }, `CPU time that a file and its clips took in all steps; all files together ${duration(total_s)}.`),
    table([
      { name: 'file', of: (file) => el('code', { class: 'file', title: file.uri }, file.uri.split('/').slice(-1)[0]) },
      { name: 'CPU', num: true, of: (file) => duration(file.cpu_s) },
      { name: '', of: (file) => el('span', { class: 'spent', role: 'img', 'aria-label': STEPS.filter((step) => file[step]).map((step) => `${step} ${duration(file[step])}`).join(', '), title: STEPS.filter((step) => file[step]).map((step) => `${step} ${duration(file[step])}`).join(', ') },
        STEPS.map((step) => el('i', { class: step, style: `width:${(100 * (file[step] ?? 0)) / most}%` }))) },
      { name: 'of all', num: true, of: (file) => percent((file.cpu_s ?? 0) / total_s) },
      { name: 'length', num: true, of: (file) => duration(file.duration_s) },
      { name: 'CPU per second', num: true, of: (file) => (file.duration_s ? duration(file.cpu_s / file.duration_s) : '–') },
      { name: 'size', num: true, of: (file) => bytes(file.size_bytes) },
    ], files, { 'aria-label': 'slowest files' }),
    el('p', { class: 'legend' }, STEPS.map((step) => el('span', { class: step }, step))),
    exports({ name: 'slowest-files', rows: () => files }));
}

export default {
  id: 'failures',
  title: 'Failures',
  hint: 'What did not come through, step by step: why, from where, and the command that shows it alone.',
  draw,
};
