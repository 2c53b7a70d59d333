// What the footage shows: concepts on a map, and what resampling makes of their shares.

import { ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { count, number, percent } from '../core/format.js';
import { emptyState, exports, figure, table } from '../core/parts.js';
import { go, href, note, panelHref } from '../core/state.js';
import { conceptCanvas } from './concept_canvas.js';

const ROWS = 40;
const MOST_LINKED = 400;
const SORTS = {
  clips: ['most clips', (a, b) => b.num - a.num],
  change: ['most changed', (a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before)],
  weight: ['highest weight', (a, b) => (b.weight ?? 0) - (a.weight ?? 0)],
  rare: ['fewest clips', (a, b) => a.num - b.num],
  name: ['name', (a, b) => a.name.localeCompare(b.name)],
};

async function draw(body, { state, overview, signal }) {
  if (!state.subset) {
    replace(body, emptyState('No subset has been selected yet', 'Concepts are counted in what a subset keeps.'));
    return;
  }
  const found = await ask('concepts', { subset: state.subset }, signal);
  if (!found.concepts.length) {
    replace(body, emptyState('No concepts have been found',
      'Clips are grouped by what they show where the recipe has scores.concept and selection.concepts. Add these and run again; only what is missing is made.',
      `moviola curate RECIPE --workspace '${overview.workspace}'`));
    return;
  }
  const concepts = found.concepts.map((one) => ({ ...one, before: one.share ?? 0, after: one.resampled_share ?? 0 }));
  const phase = state.weights === 'before' ? 'before' : 'after';
  const shown = { phase, picked: new Set((state.picked ?? '').split(',').filter(Boolean).map(Number)) };
  const link = el('p', { class: 'row picked', 'aria-live': 'polite' });
  const rows = rowList(concepts, found, state, shown, (ids) => choose(ids));
  const map = conceptCanvas(concepts, { phase, picked: shown.picked, view: viewOf(state.at), callbacks: {
    open: (one) => go(examples(state.subset, [one.concept_id])),
    pick: (ids) => choose(ids),
    hover: (one) => rows.mark(one?.concept_id),
    moved: (view) => later(() => note({ at: view && [view.k, view.x, view.y].map((value) => value.toFixed(2)).join(',') })),
  } });

  function choose(ids) {
    shown.picked = new Set(ids);
    map.pick(ids);
    rows.pick(shown.picked);
    note({ picked: [...ids].join(',') || null });
    replace(link, ...pickedLine(concepts, shown.picked, state.subset, () => choose([])));
  }

  const offstage = el('div', { class: 'offstage', 'aria-hidden': 'true' });
  replace(body, ...told(found, concepts, state.subset),
    el('div', { class: 'concept-columns' },
      el('section', { class: 'card', 'aria-label': 'Map' }, tools(map, phase, found), map.node, link, offstage,
        exports({ name: `concepts-${state.subset}`, rows: () => concepts.map(csvRow), chart: () => {
          const drawing = map.svg();
          replace(offstage, drawing);
          return drawing;
        } })),
      rows.node));
  replace(link, ...pickedLine(concepts, shown.picked, state.subset, () => choose([])));
}

let timer = 0;
function later(action) {
  clearTimeout(timer);
  timer = setTimeout(action, 250);
}

function viewOf(text) {
  const [k, x, y] = (text ?? '').split(',').map(Number);
  return [k, x, y].every(Number.isFinite) && k > 0 ? { k, x, y } : null;
}

const examples = (subset, ids) => panelHref('examples', { subset, verdict: 'kept', concept: ids });

/** How even the shares are: as many concepts of equal size would be as mixed. */
function effective(concepts, name) {
  return Math.exp(-concepts.filter((one) => one[name] > 0).reduce((sum, one) => sum + one[name] * Math.log(one[name]), 0));
}

function told(found, concepts, subset) {
  const largest = (name) => percent(Math.max(...concepts.map((one) => one[name])));
  const arrow = (from, to) => (found.is_weighed ? `${from} → ${to}` : from);
  return [
    el('div', { class: 'figures' },
      figure('concepts', count(found.num_concepts), found.num_concepts < concepts.length ? `of ${count(concepts.length)} in the workspace` : `in ${subset}`),
      figure('clips in them', count(found.num_grouped), `of ${count(found.num_clips)} that ${subset} keeps`),
      figure('largest share', arrow(largest('before'), largest('after')), found.is_weighed ? 'before → after resampling' : 'not resampled'),
      figure('as mixed as', arrow(number(effective(concepts, 'before')), number(effective(concepts, 'after'))), 'concepts of one size', { title: 'the exponential of the entropy of the shares' })),
    notResampled(found, subset),
    found.num_left_out > 0 && el('p', { class: 'hint' }, `The ${count(found.num_left_out)} smallest concepts are left out.`),
  ];
}

function notResampled(found, subset) {
  if (found.is_resampled && found.is_weighed) return null;
  if (found.is_resampled) return el('p', { class: 'hint' }, `${subset} is resampled, and all weights came out as 1.`);
  const how = found.is_resampled === null ? `The recipe of ${subset} was not kept, so whether it asks for resampling is unknown` : `${subset} is not resampled: every clip has weight 1, so before and after are the same`;
  return el('p', { class: 'state' }, `${how}. The target shows what 1/√ of a concept's size would do; `, el('code', {}, `subsets.${subset}.resampling: {}`), ' in the recipe asks for it.');
}

function tools(map, phase, found) {
  const press = (name, label, isOn, action, title = null) => el('button', { type: 'button', 'aria-pressed': String(isOn), title, onclick: (event) => {
    for (const other of event.currentTarget.parentElement.children) other.setAttribute('aria-pressed', String(other === event.currentTarget));
    action();
  }, 'data-tool': name }, label);
  const step = (label, name, action) => el('button', { type: 'button', 'aria-label': name, title: name, onclick: action }, label);
  const change = (next) => () => { map.show(next); note({ weights: next === 'before' ? 'before' : null }); };
  return el('div', { class: 'row concept-tools' },
    el('div', { class: 'tabs', role: 'group', 'aria-label': 'Shares' },
      press('before', 'before', phase === 'before', change('before'), 'by clips'),
      press('after', found.is_weighed ? 'after resampling' : 'after (the same)', phase === 'after', change('after'), 'by weights')),
    el('div', { class: 'tabs', role: 'group', 'aria-label': 'Dragging' },
      press('move', 'move', true, () => map.lasso(false), 'drag moves the map; a click opens the clips'),
      press('lasso', 'select', false, () => map.lasso(true), 'drag draws a lasso; a click adds one; shift does so too')),
    el('div', { class: 'tabs', role: 'group', 'aria-label': 'Zoom' },
      step('+', 'zoom in', () => map.zoom(1.5)), step('−', 'zoom out', () => map.zoom(1 / 1.5)), step('⟲', 'whole map', map.reset)));
}

function pickedLine(concepts, picked, subset, clear) {
  if (!picked.size) {
    return [el('span', { class: 'hint' }, 'Circles are as large as their share; the dashed ring is the other state. Click one for its clips; select several with a lasso, shift-click or the table. The wheel zooms after a click into the map.')];
  }
  const chosen = concepts.filter((one) => picked.has(one.concept_id));
  const num = chosen.reduce((sum, one) => sum + one.num, 0);
  const sum = (name) => chosen.reduce((all, one) => all + one[name], 0);
  const names = chosen.slice(0, 4).map((one) => one.name).join(', ') + (chosen.length > 4 ? ` and ${chosen.length - 4} more` : '');
  const isTooMany = chosen.length > MOST_LINKED;
  return [
    el('b', {}, names),
    el('span', {}, `${percent(sum('before'))} → ${percent(sum('after'))}`),
    isTooMany ? el('span', { class: 'hint' }, `${count(num)} clips; select at most ${MOST_LINKED} concepts to open them`)
      : el('a', { href: examples(subset, chosen.map((one) => one.concept_id)), 'data-picked': picked.size }, `see ${count(num)} ${num === 1 ? 'clip' : 'clips'}`),
    el('button', { type: 'button', onclick: clear }, 'clear')];
}

/** The table beside the map, which says all that the map shows. */
function rowList(concepts, found, state, shown, choose) {
  const most = Math.max(...concepts.map((one) => Math.max(one.before, one.after, one.target_share ?? 0)), 1e-9);
  const holder = el('div', { id: 'concept-table' });
  const at = { sort: state.sort in SORTS ? state.sort : 'clips', text: state.find ?? '', rows: ROWS };
  const find = el('input', { type: 'search', placeholder: 'find a concept  /', 'aria-label': 'Find a concept', 'data-search': true, '.value': at.text,
    oninput: (event) => {
      at.text = event.target.value;
      note({ find: at.text || null });
      list();
    },
    onfocus: (event) => event.target.classList.add('busy'), onblur: (event) => event.target.classList.remove('busy') });
  const sort = el('select', { 'aria-label': 'Order', onchange: (event) => {
    at.sort = event.target.value;
    note({ sort: at.sort === 'clips' ? null : at.sort });
    list();
  } }, Object.entries(SORTS).map(([name, [label]]) => el('option', { value: name, selected: name === at.sort }, label)));

  function list() {
    const text = at.text.toLowerCase();
    const chosen = concepts.filter((one) => one.name.toLowerCase().includes(text)).toSorted(SORTS[at.sort][1]);
    const part = chosen.slice(0, at.rows);
    const columns = [
      { name: '', of: (one) => el('input', { type: 'checkbox', 'aria-label': `select ${one.name}`, '.checked': shown.picked.has(one.concept_id), value: one.concept_id,
        onchange: (event) => choose(event.target.checked ? [...shown.picked, one.concept_id] : [...shown.picked].filter((id) => id !== one.concept_id)) }) },
      { name: 'concept', of: (one) => (one.num ? el('a', { href: examples(state.subset, [one.concept_id]), 'data-concept': one.concept_id }, one.name) : one.name) },
      { name: 'clips', num: true, of: (one) => count(one.num) },
      { name: 'share before → after', of: (one) => dumbbell(one, most) },
      { name: 'before', num: true, of: (one) => percent(one.share) },
      { name: 'after', num: true, of: (one) => percent(one.resampled_share) },
      { name: 'target', num: true, of: (one) => percent(one.target_share) },
      { name: 'weight', num: true, of: (one) => number(one.weight) },
      { name: byExponent(found), num: true, of: (one) => number(one.target_weight) },
    ];
    replace(holder,
      table(columns, part, { 'aria-label': 'Concepts with their shares' }),
      chosen.length > part.length && el('button', { type: 'button', onclick: () => { at.rows += 200; list(); } }, `show more of ${count(chosen.length)}`),
      !chosen.length && el('p', { class: 'hint' }, 'No concept has that in its name.'));
  }
  list();
  return {
    node: el('section', { class: 'card concept-rows', 'aria-label': 'Table' },
      el('div', { class: 'row' }, find, sort),
      el('p', { class: 'concept-legend hint' }, el('i', { class: 'dot before' }), 'before ', el('i', { class: 'dot after' }), 'after ', el('i', { class: 'tick' }), `target: weights by ${byExponent(found)}`,
        found.rare_floor > 0 ? `; the recipe's floor (${count(found.rare_floor)} for a rare concept) and quotas may hold it off` : ''),
      holder),
    pick: (picked) => holder.querySelectorAll('input[type=checkbox]').forEach((box) => { box.checked = picked.has(Number(box.value)); }),
    mark: (id) => holder.querySelectorAll('tbody tr').forEach((row) => row.classList.toggle('here', row.querySelector('[data-concept]')?.dataset.concept === String(id))),
  };
}

const byExponent = ({ exponent }) => (exponent === 0.5 ? '1/√size' : `1/size^${number(exponent)}`);

function dumbbell(one, most) {
  const at = (share) => `left:${(100 * share) / most}%`;
  const [low, high] = [Math.min(one.before, one.after), Math.max(one.before, one.after)];
  return el('div', { class: 'dumbbell', 'aria-hidden': 'true' },
    el('i', { class: 'line', style: `left:${(100 * low) / most}%;width:${(100 * (high - low)) / most}%` }),
    one.target_share !== null && el('i', { class: 'tick', style: at(one.target_share) }),
    one.num > 0 && el('i', { class: 'dot before', style: at(one.before) }),
    one.num > 0 && el('i', { class: 'dot after', style: at(one.after) }));
}

const csvRow = ({ concept_id, name, num, num_rejected, found_size, share, resampled_share, target_share, weight, target_weight, x, y }) => (
  { concept_id, name, num, num_rejected, found_size, share, resampled_share, target_share, weight, target_weight, x, y });

export default {
  id: 'concepts',
  title: 'Concepts',
  hint: 'What the kept clips show, grouped, and how resampling shifts the shares.',
  draw,
};
