// The stages of training runs: loss beside its floors, where it comes from, samples, recipes.

import { quoted } from '../../core/commands.js';
import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { emptyState } from '../../core/parts.js';
import { go, href } from '../../core/state.js';
import { chooser } from '../../core/chooser.js';
import { showRecipe } from './recipe.js';
import { StagePage } from './stage.js';

const PLACES = ['figures', 'curves', 'evaluation', 'others', 'samples', 'changes'];

/** Draws the panel; may return what is to be done when it is left. */
export async function draw(body, { state, overview, signal }) {
  const { runs, given } = await ask('runs', {}, signal);
  if (!runs.length) {
    replace(body, noRuns(given, overview.workspace));
    return undefined;
  }
  const { run, stage } = chosenOf(runs, state);
  const places = Object.fromEntries(PLACES.map((name) => [name, el('div', { class: 'body' })]));
  // Commits to the workspace change nothing here, and playing videos are not to be drawn anew.
  const all = el(
    'div',
    { class: 'body busy' },
    choices(runs, run, stage),
    !run.is_readable && el('p', { class: 'bad' }, 'Its recipe.json cannot be read.'),
  );
  replace(body, all);
  const recipe = () => showRecipe(places.changes, runs, run, state.against, signal);
  if (!stage?.has_begun) {
    all.append(
      emptyState('This stage has not begun', 'It begins when the stage before it is finished.'),
      places.changes,
    );
    await recipe();
    return undefined;
  }
  all.append(...Object.values(places));
  const page = new StagePage(run, stage, { places, state, workspace: overview.workspace, signal });
  await page.refresh();
  await recipe();
  return page.follow();
}

function noRuns(given, workspace) {
  return emptyState(
    given.length ? 'There is no training run in these folders' : 'No training run was named',
    given.length
      ? `A run is a folder with a recipe.json; looked in, and one level below: ${given.join(', ')}`
      : 'Name the folder of a run, or one that holds several, when you start the dashboard:',
    `moviola dashboard ${quoted(workspace)} --run RUN`,
  );
}

/** The run and the stage that the URL names, or the first run and the last stage that has begun. */
function chosenOf(runs, state) {
  const run = runs.find((one) => String(one.run) === state.of) ?? runs[0];
  const named = run.stages.find((one) => one.stage === state.stage);
  const lastBegun = run.stages.findLast((one) => one.has_begun);
  return { run, stage: named ?? lastBegun ?? run.stages[0] };
}

function choices(runs, run, chosen) {
  return el(
    'div',
    { class: 'row' },
    chooser(
      'run',
      runs.map((one) => [one.run, one.name]),
      run.run,
      (of) => go(href({ of, stage: null, eval: null })),
    ),
    el(
      'div',
      { class: 'tabs', role: 'group', 'aria-label': 'Stage' },
      run.stages.map((stage) => stageTab(run, stage, stage.stage === chosen?.stage)),
    ),
    el('span', { class: 'hint' }, run.folder),
  );
}

function stageTab(run, { stage, is_finished: isFinished, has_begun: hasBegun }, isChosen) {
  const address = href({ of: run.run, stage, eval: null });
  const mark = isFinished ? ' ✓' : hasBegun ? '' : ' (not begun)';
  return el('a', { href: address, 'aria-current': isChosen ? 'true' : null }, stage, mark);
}
