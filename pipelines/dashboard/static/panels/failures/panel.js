// What failed, was turned away, or waits, with the whole error and the commands that help.

import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count, shareOf, words } from '../../core/format.js';
import { card, emptyState, figure, table, waiting } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';
import { drawClass } from './class.js';
import { drawSlowest } from './slowest.js';
import { nothingIn } from '../../core/nothing_yet.js';

const SAID = { failed: 'failed', rejected: 'turned away', waiting: 'waiting' };
const SAVED = ['stage', 'status', 'why', 'meaning', 'num', 'num_in', 'cpu_s'];

/** Draws the panel; may return what is to be done when it is left. */
export async function draw(body, { state: wanted, overview, signal }) {
  const { stages } = await ask('failures', {}, signal);
  if (!stages.length) {
    replace(body, nothingIn(overview));
    return;
  }
  const chosen = stages.find((stage) => stage.stage === wanted.stage);
  const slow = el('section', { class: 'card' }, waiting());
  const detail = chosen && el('section', { class: 'card detail', id: 'rows' }, waiting());
  replace(
    body,
    el('div', { class: 'failures-panel' }, summary(stages), classes(stages, wanted), detail, slow),
  );
  await Promise.all([
    chosen && drawClass(detail, chosen, wanted, signal),
    drawSlowest(slow, signal),
  ]);
}

function summary(stages) {
  const all = stages.flatMap((stage) => stage.classes);
  const numOf = (status) =>
    all.filter((one) => one.status === status).reduce((sum, one) => sum + one.num, 0);
  const [failed, waits] = [numOf('failed'), numOf('waiting')];
  return el(
    'div',
    { class: 'figures' },
    figure('failed', count(failed), 'rows, at any step', {
      class: `figure ${failed ? 'bad' : 'good'}`,
    }),
    figure('turned away', count(numOf('rejected')), 'by metadata, or in a step'),
    figure('waiting', count(waits), waits ? 'the run did not come to them' : 'nothing', {
      class: `figure${waits ? ' warn' : ''}`,
    }),
    el(
      'p',
      { class: 'hint quarantine' },
      'Nothing is lost: each of these keeps its row, with its error, in the table of its step. It is tried again by the commands below, or when its file or the recipe changes.',
    ),
  );
}

/** All classes of all steps; a class opens its rows. */
function classes(stages, wanted) {
  const rows = stages.flatMap((stage) =>
    stage.classes.map((one) => ({ stage: stage.stage, num_in: stage.num_in, ...one })),
  );
  if (!rows.length)
    return emptyState(
      'Nothing failed',
      'Every input of every step has a row that came through or was decided on.',
    );
  const saved = (row) => Object.fromEntries(SAVED.map((name) => [name, row[name]]));
  return card(
    'By step and class',
    table(columns(wanted), rows, { 'aria-label': 'failures by step and class' }),
    exports({ name: 'failures', rows: () => rows.map(saved) }),
  );
}

function columns(wanted) {
  return [
    { name: 'step', of: (row) => row.stage },
    { name: 'state', of: status },
    { name: 'class', of: (row) => classLink(row, wanted) },
    { name: 'rows', num: true, of: (row) => count(row.num) },
    { name: 'share', num: true, of: (row) => shareOf(row.num, row.num_in) },
    { name: 'what it means', of: (row) => el('span', { class: 'meaning' }, row.meaning) },
  ];
}

const status = (row) =>
  el('span', { class: `status ${row.status}` }, SAID[row.status] ?? row.status);

function classLink({ stage, why }, wanted) {
  const isShown = stage === wanted.stage && why === wanted.why;
  return el(
    'a',
    {
      href: panelHref('failures', { stage, why }),
      'aria-current': isShown ? 'true' : null,
    },
    words(why),
  );
}
