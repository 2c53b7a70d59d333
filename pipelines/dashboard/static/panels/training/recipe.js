// What made a run, and how its recipe differs from that of another.

import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count } from '../../core/format.js';
import { hint, table } from '../../core/parts.js';
import { go, href } from '../../core/state.js';
import { card, headed } from '../../core/cards.js';
import { chooser } from '../../core/chooser.js';

/** Puts into a place the recipe of a run, compared with the run that `against` names. */
export async function showRecipe(place, runs, run, against, signal) {
  const others = runs.filter((one) => one.run !== run.run);
  const other = others.find((one) => String(one.run) === against) ?? null;
  const shown = card(
    headed('Recipe', others.length > 0 && otherChooser(others, other)),
    !others.length && hint('With a second --run, its recipe is compared with this one here.'),
  );
  replace(place, shown);
  if (other) {
    const told = await ask('run-changes', { run: run.run, against: other.run }, signal);
    shown.append(...changes(told));
  }
  shown.append(origin(run));
}

function otherChooser(others, other) {
  const options = others.map((one) => [one.run, one.name]);
  return chooser('against', [['', 'choose a run'], ...options], other?.run, (chosen) =>
    go(href({ against: chosen || null })),
  );
}

function changes(told) {
  const value = (text) => el('code', { class: 'value' }, text ?? 'not there');
  const [before, after] = told.names;
  const columns = [
    { name: 'key', of: (row) => el('code', {}, row.key) },
    { name: before, of: (row) => value(row.before) },
    { name: after, of: (row) => value(row.after) },
  ];
  return [
    told.changes.length
      ? table(columns, told.changes, { 'aria-label': 'Changes of the recipe' })
      : el('p', {}, 'The recipes are the same.'),
    hint(`${count(told.num_same)} keys are the same.`),
    exports({ name: 'recipe-changes', rows: () => told.changes }),
  ];
}

/** Versions of the code and of the data. */
function origin(run) {
  const fact = (name, text) => [el('dt', {}, name), el('dd', {}, text)];
  return el(
    'details',
    {},
    el('summary', {}, 'What made this run'),
    el(
      'dl',
      { class: 'facts' },
      Object.entries(run.versions).map(([name, value]) => fact(name, String(value))),
      run.stages
        .filter((one) => one.data.versions)
        .map((one) => fact(`${one.stage} read`, readText(one.data))),
    ),
  );
}

function readText({ versions, workspace, encoder_hash: hash }) {
  const tables = Object.entries(versions).map(([name, version]) => `${name} version ${version}`);
  return `${tables.join(', ')} of ${workspace}${hash ? `, encoder ${hash}` : ''}`;
}
