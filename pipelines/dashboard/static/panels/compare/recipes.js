// What two decisions were asked for, where that differs.

import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { card, table } from '../../core/parts.js';

const value = (given) => el('code', {}, given === null ? 'not set' : JSON.stringify(given));

const COLUMNS = [
  { name: 'key', of: (row) => el('code', {}, row.key) },
  { name: 'A', of: (row) => value(row.old) },
  { name: 'B', of: (row) => value(row.new) },
];

/** The keys of both recipes that differ; null unless there are two decisions. */
export function comparedRecipes({ a, b, recipe }) {
  if (!a || !b) return null;
  if (!recipe?.length) return card('Recipe', el('p', {}, noDifference(a, b, recipe)));
  const label = 'what differs between the recipes';
  return card(
    'Recipe',
    table(COLUMNS, recipe, { class: 'differences', 'aria-label': label }),
    exports({ name: `recipe-${a.name}-${b.name}`, rows: () => recipe.map(savedRow) }),
  );
}

function noDifference(a, b, recipe) {
  if (recipe === null)
    return 'One of the two recipes was not kept in the workspace, so they cannot be compared.';
  return a.recipe === b.recipe
    ? 'Both were decided by the same recipe.'
    : 'No value differs, the engine’s settings left out.';
}

const savedRow = ({ key, old, new: now }) => ({
  key,
  a: JSON.stringify(old),
  b: JSON.stringify(now),
});
