// What to do with changed thresholds: take them away as a recipe, or have the clips decided again.

import { ask, post } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { copyable, errorBox, say } from '../core/parts.js';
import { panelHref } from '../core/state.js';

const LOOK_MS = 700;

/** The buttons; `page` gives `subset`, `rules()` and `reset()`. */
export function actions(page) {
  return [
    el('button', { type: 'button', class: 'main', id: 'redecide', onclick: () => redecide(page) }, 'Re-decide …'),
    el('button', { type: 'button', id: 'recipe', onclick: () => recipe(page) }, 'Copy as recipe …'),
    el('button', { type: 'button', id: 'reset', onclick: () => page.reset() }, 'Reset'),
  ];
}

function dialog(title, ...children) {
  const close = el('button', { type: 'button', class: 'close', 'aria-label': 'Close', onclick: () => box.close() }, '✕');
  const box = el('dialog', { 'aria-label': title, class: 'busy', onclose: () => box.remove() }, el('div', { class: 'row' }, el('h2', {}, title), close), children);
  document.body.append(box);
  box.showModal();
  return box;
}

async function recipe(page) {
  const inside = el('div', { class: 'body' }, 'Asking …');
  dialog('These thresholds as a recipe', inside);
  try {
    const { yaml, command, recipe: whole } = await ask('recipe', { subset: page.subset, rule: page.rules() });
    replace(inside,
      el('p', {}, 'A layer above the recipe: put its path in the place of RECIPE.'), copyable(yaml),
      el('p', {}, 'The same as a command, which decides again without decoding:'), copyable(command),
      whole && el('details', {}, el('summary', {}, 'The whole recipe'), copyable(whole)));
  } catch (error) {
    replace(inside, errorBox(error));
  }
}

function redecide(page) {
  const name = el('input', { id: 'new-subset', name: 'name', required: true, pattern: '[a-z0-9][a-z0-9_\\-]{0,63}', '.value': `${page.subset}-new`, autofocus: true });
  const said = el('div', { role: 'status' });
  const start = el('button', { class: 'main', type: 'submit' }, 'Decide');
  const form = el('form', { class: 'body', onsubmit: (event) => {
    event.preventDefault();
    start.disabled = true;
    run(page, name.value, said, box).catch((error) => replace(said, errorBox(error))).finally(() => { start.disabled = false; });
  } }, el('p', {}, 'Decides on every clip from its stored measures and scores, duplicates and concepts included, and puts the result into a new subset. Nothing is decoded, no subset is changed.'),
  el('label', {}, 'Name of the new subset ', name), start, said);
  const box = dialog('Decide again', form);
}

async function run(page, name, said, box) {
  const { job } = await post('redecide', { subset: page.subset, rule: page.rules(), name });
  for (;;) {
    const found = await ask(`jobs/${job}`);
    if (found.state === 'failed') throw new Error(found.said || 'the selection failed');
    if (found.is_shown) {
      say(`subset ${name} is decided`);
      replace(said, el('p', {}, `Subset ${name} is there. `, el('a', { href: panelHref('funnel', { subset: name, rule: null }), onclick: () => box.close() }, 'Open its funnel'),
        ' · ', el('a', { href: panelHref('compare', { subset: name, rule: null }), onclick: () => box.close() }, 'compare')), el('pre', {}, found.said));
      return;
    }
    replace(said, el('p', { class: 'waiting' }, found.state === 'done' ? 'Reading the new subset …' : 'Deciding …'));
    await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
  }
}
