// Two decisions side by side: recipes, funnels, where clips went, how measures and captions moved.

import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { emptyState, errorBox, waiting } from '../../core/parts.js';
import { askCaptions, captionContents } from './captions.js';
import { drawCell } from './cell.js';
import { askDrift, driftContents } from './drift.js';
import { comparedFigures } from './figures.js';
import { comparedFunnels } from './funnels.js';
import { transitions } from './matrix.js';
import { pickers } from './pickers.js';
import { comparedRecipes } from './recipes.js';

/** Draws the panel; may return what is to be done when it is left. */
export async function draw(body, { state: wanted, signal }) {
  const pair = { a: wanted.a, b: wanted.b, subset: wanted.subset };
  const found = await ask('comparison', pair, signal);
  if (found.decisions.length < 2 && !Object.keys(found.gone).length) {
    replace(body, nothingToCompare());
    return;
  }
  const panel = el('div', { class: 'compare-panel' });
  replace(body, panel);
  if (found.outcomes) await drawBoth(panel, found, wanted, signal);
  else replace(panel, pickers(found), comparedRecipes(found), gone(found));
}

function nothingToCompare() {
  return emptyState(
    'Nothing to compare yet',
    'A decision is what a run made of all clips for a subset. There are not two of them yet: decide again with another threshold, and this page shows what came back and what was lost.',
    'moviola select RECIPE --workspace WORKSPACE --set subsets.256p.rules.motion_vmaf.min=1',
  );
}

function gone(found) {
  const texts = Object.entries(found.gone).map(([side, text]) => `${side.toUpperCase()}: ${text}`);
  return texts.length
    ? emptyState(
        'One of the two is gone',
        `${texts.join('; ')}. Its clips can be compared no more; recipes can, where they were kept.`,
      )
    : emptyState('Choose two decisions', 'There is no earlier one to compare with by default.');
}

/** What is known at once, and then the parts that are asked for one by one. */
async function drawBoth(panel, found, wanted, signal) {
  const named = { a: found.a.name, b: found.b.name };
  const cell = el('section', { class: 'card cell', id: 'cell', hidden: true });
  const drift = el('section', { class: 'card' }, waiting());
  const captions = el('section', { class: 'card' }, waiting());
  replace(
    panel,
    pickers(found),
    comparedFigures(found),
    comparedRecipes(found),
    comparedFunnels(found),
    transitions(found, wanted),
    cell,
    drift,
    captions,
  );
  await Promise.all([
    drawCell(cell, named, wanted, signal),
    part(drift, 'Measures of the kept clips', () => askDrift(named, signal), driftContents),
    part(captions, 'Captions', () => askCaptions(named, wanted, signal), captionContents),
  ]);
}

/** Draws a part from its answer; what was refused is said in its own place. */
async function part(section, title, asked, contents) {
  const heading = el('h2', {}, title);
  let found;
  try {
    found = await asked();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    replace(section, heading, errorBox(error));
    return;
  }
  replace(section, heading, contents(found));
}
