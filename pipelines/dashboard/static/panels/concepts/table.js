// The table beside the map of concepts, which says all that the map shows.

import { el, replace } from '../../core/dom.js';
import { count } from '../../core/format.js';
import { table } from '../../core/parts.js';
import { note } from '../../core/state.js';
import { byExponent, conceptColumns } from './columns.js';

const ROWS = 40;
const MORE_ROWS = 200;
const SORTS = {
  clips: ['most clips', (a, b) => b.num - a.num],
  change: ['most changed', (a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before)],
  weight: ['highest weight', (a, b) => (b.weight ?? 0) - (a.weight ?? 0)],
  rare: ['fewest clips', (a, b) => a.num - b.num],
  name: ['name', (a, b) => a.name.localeCompare(b.name)],
};

/**
 * The concepts in an order that can be chosen, with boxes to pick some: `choose` takes their ids.
 * Gives `{ node, pick(ids), mark(id) }`.
 */
export function conceptTable(found, concepts, { state, picked, choose }) {
  const holder = el('div', { id: 'concept-table' });
  const at = {
    sort: state.sort in SORTS ? state.sort : 'clips',
    text: state.find ?? '',
    rows: ROWS,
    picked,
  };
  const columns = conceptColumns(found, concepts, {
    subset: state.subset,
    isPicked: (id) => at.picked.has(id),
    toggle: (id, isOn) =>
      choose(isOn ? [...at.picked, id] : [...at.picked].filter((other) => other !== id)),
  });
  const list = () => replace(holder, listed(concepts, columns, at, list));
  list();
  return {
    node: el(
      'section',
      { class: 'card concept-rows', 'aria-label': 'Table' },
      el('div', { class: 'row' }, finder(at, list), sorter(at, list)),
      legend(found),
      holder,
    ),
    pick: (ids) => {
      at.picked = ids;
      for (const box of holder.querySelectorAll('input[type=checkbox]'))
        box.checked = ids.has(Number(box.value));
    },
    mark: (id) => {
      for (const row of holder.querySelectorAll('tbody tr')) {
        const own = row.querySelector('[data-concept]')?.dataset.concept;
        row.classList.toggle('here', own === String(id));
      }
    },
  };
}

function listed(concepts, columns, at, list) {
  const text = at.text.toLowerCase();
  const chosen = concepts
    .filter((one) => one.name.toLowerCase().includes(text))
    .toSorted(SORTS[at.sort][1]);
  const more = () => {
    at.rows += MORE_ROWS;
    list();
  };
  return [
    table(columns, chosen.slice(0, at.rows), { 'aria-label': 'Concepts with their shares' }),
    chosen.length > at.rows &&
      el('button', { type: 'button', onclick: more }, `show more of ${count(chosen.length)}`),
    !chosen.length && el('p', { class: 'hint' }, 'No concept has that in its name.'),
  ];
}

function finder(at, list) {
  return el('input', {
    type: 'search',
    placeholder: 'find a concept  /',
    'aria-label': 'Find a concept',
    'data-search': true,
    '.value': at.text,
    oninput: (event) => {
      at.text = event.target.value;
      note({ find: at.text || null });
      list();
    },
    onfocus: (event) => event.target.classList.add('busy'),
    onblur: (event) => event.target.classList.remove('busy'),
  });
}

function sorter(at, list) {
  const onchange = (event) => {
    at.sort = event.target.value;
    note({ sort: at.sort === 'clips' ? null : at.sort });
    list();
  };
  return el(
    'select',
    { 'aria-label': 'Order', onchange },
    Object.entries(SORTS).map(([name, [label]]) =>
      el('option', { value: name, selected: name === at.sort }, label),
    ),
  );
}

function legend(found) {
  const sign = (kind) => el('i', { class: kind });
  return el(
    'p',
    { class: 'concept-legend hint' },
    sign('dot before'),
    'before ',
    sign('dot after'),
    'after ',
    sign('tick'),
    `target: weights by ${byExponent(found)}`,
    found.rare_floor > 0
      ? `; the recipe's floor (${count(found.rare_floor)} for a rare concept) and quotas may hold it off`
      : '',
  );
}
