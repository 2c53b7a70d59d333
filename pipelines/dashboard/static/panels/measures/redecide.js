// What to do with changed thresholds: take them away as a recipe, or have the clips decided again.

import { ask, post } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { copyable, errorBox, say } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';

const LOOK_MS = 700;

/** The buttons; `page` gives `subset`, `rules()` and `reset()`. */
export function actions(page) {
  const button = (attributes, text) => el('button', { type: 'button', ...attributes }, text);
  return [
    button({ class: 'main', id: 'redecide', onclick: () => redecide(page) }, 'Re-decide …'),
    button({ id: 'recipe', onclick: () => recipe(page) }, 'Copy as recipe …'),
    button({ id: 'reset', onclick: () => page.reset() }, 'Reset'),
  ];
}

function dialog(title, ...children) {
  const close = el(
    'button',
    { type: 'button', class: 'close', 'aria-label': 'Close', onclick: () => box.close() },
    '✕',
  );
  const box = el(
    'dialog',
    { 'aria-label': title, class: 'busy', onclose: () => box.remove() },
    el('div', { class: 'row' }, el('h2', {}, title), close),
    children,
  );
  document.body.append(box);
  box.showModal();
  return box;
}

async function recipe(page) {
  const inside = el('div', { class: 'body' }, 'Asking …');
  dialog('These thresholds as a recipe', inside);
  try {
    const found = await ask('recipe', { subset: page.subset, rule: page.rules() });
    replace(
      inside,
      el('p', {}, 'A layer above the recipe: put its path in the place of RECIPE.'),
      copyable(found.yaml),
      el('p', {}, 'The same as a command, which decides again without decoding:'),
      copyable(found.command),
      found.recipe &&
        el('details', {}, el('summary', {}, 'The whole recipe'), copyable(found.recipe)),
    );
  } catch (error) {
    replace(inside, errorBox(error));
  }
}

/** Asks for the name of the new subset, and decides. */
function redecide(page) {
  const name = nameField(`${page.subset}-new`);
  const said = el('div', { role: 'status' });
  const start = el('button', { class: 'main', type: 'submit' }, 'Decide');
  const onsubmit = async (event) => {
    event.preventDefault();
    start.disabled = true;
    try {
      await decide(page, name.value, said, () => box.close());
    } catch (error) {
      replace(said, errorBox(error));
    }
    start.disabled = false;
  };
  const form = el(
    'form',
    { class: 'body', onsubmit },
    el(
      'p',
      {},
      'Decides on every clip from its stored measures and scores, duplicates and concepts included, and puts the result into a new subset. Nothing is decoded, and the other subsets keep their verdicts.',
    ),
    el('label', {}, 'Name of the new subset ', name),
    start,
    said,
  );
  const box = dialog('Decide again', form);
}

function nameField(name) {
  return el('input', {
    id: 'new-subset',
    name: 'name',
    required: true,
    pattern: '[a-z0-9][a-z0-9_\\-]{0,63}',
    '.value': name,
    autofocus: true,
  });
}

async function decide(page, name, said, close) {
  const { job } = await post('redecide', { subset: page.subset, rule: page.rules(), name });
  const found = await finished(job, said);
  say(`subset ${name} is decided`);
  replace(said, whereItIs(name, close), el('pre', {}, found.said));
}

/** Looks until a selection is done and the server knows its subset. */
async function finished(job, said) {
  for (;;) {
    const found = await ask(`jobs/${job}`);
    if (found.state === 'failed') throw new Error(found.said || 'the selection failed');
    if (found.is_shown) return found;
    const doing = found.state === 'done' ? 'Reading the new subset …' : 'Deciding …';
    replace(said, el('p', { class: 'waiting' }, doing));
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_MS);
    });
  }
}

function whereItIs(subset, close) {
  const link = (panel, text) =>
    el('a', { href: panelHref(panel, { subset, rule: null }), onclick: close }, text);
  return el(
    'p',
    {},
    `Subset ${subset} is there. `,
    link('funnel', 'Open its funnel'),
    ' · ',
    link('compare', 'compare'),
  );
}
