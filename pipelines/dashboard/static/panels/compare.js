// Two decisions side by side: recipes, funnels, where clips went, how measures and captions moved.

import { address, ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { count, hours, percent, time, words } from '../core/format.js';
import { emptyState, exports, figure, table, tile, waiting } from '../core/parts.js';
import { go, href } from '../core/state.js';
import { captionChanges } from './compare_captions.js';
import { drift } from './compare_drift.js';

const PAGE = 24;
const ABSENT = 'not there';
const ANY_RULE = 'any-rule';
let scrolled = '';

async function draw(body, { state: wanted, signal }) {
  const pair = { a: wanted.a, b: wanted.b, subset: wanted.subset };
  const found = await ask('comparison', pair, signal);
  if (found.decisions.length < 2 && !Object.keys(found.gone).length) {
    replace(body, emptyState('Nothing to compare yet',
      'A decision is what a run made of all clips for a subset. There are not two of them yet: decide again with another threshold, and this page shows what came back and what was lost.',
      'moviola select RECIPE --workspace WORKSPACE --set subsets.256p.rules.motion_vmaf.min=1'));
    return;
  }
  const parts = [pickers(found), recipes(found)];
  if (!found.outcomes) {
    replace(body, el('div', { class: 'compare-panel' }, parts, gone(found)));
    return;
  }
  const named = { a: found.a.name, b: found.b.name };
  const cell = el('section', { class: 'card cell', id: 'cell', hidden: true });
  const drifts = el('section', { class: 'card' }, waiting());
  const captions = el('section', { class: 'card' }, waiting());
  replace(body, el('div', { class: 'compare-panel' },
    parts[0], summary(found), parts[1], funnels(found), matrix(found, wanted), cell, drifts, captions));
  await Promise.all([
    drawCell(cell, named, wanted, signal),
    drift(drifts, named, signal),
    captionChanges(captions, named, wanted, signal),
  ]);
}

function pickers({ decisions, a, b }) {
  const pick = (side, one) => el('div', { class: 'card side' },
    el('label', { class: 'row' }, el('b', { class: `mark ${side}` }, side.toUpperCase()),
      el('select', { 'aria-label': `decision ${side.toUpperCase()}`, onchange: (event) => go(href({ [side]: event.target.value, [other(side)]: (side === 'a' ? b : a)?.name, was: null, now: null, page: null })) },
        !one && el('option', { value: '', selected: true }, 'choose …'),
        decisions.map((each) => el('option', { value: each.name, selected: each.name === one?.name }, `${each.name} · ${time(each.time)} · ${verb(each)}`)))),
    one && el('dl', {},
      el('dt', {}, 'run'), el('dd', {}, one.run || 'not told'),
      el('dt', {}, 'recipe'), el('dd', {}, el('code', {}, one.recipe || 'not told')),
      el('dt', {}, 'Moviola'), el('dd', {}, one.code || 'not told'),
      el('dt', {}, 'command'), el('dd', {}, el('code', { class: 'command' }, one.command || 'not told'))));
  return el('div', { class: 'pickers' }, pick('a', a),
    el('a', { class: 'swap', href: href({ a: b?.name, b: a?.name, was: null, now: null, page: null }), title: 'swap A and B', 'aria-label': 'swap A and B' }, '⇄'),
    pick('b', b));
}

const other = (side) => (side === 'a' ? 'b' : 'a');
const verb = ({ command }) => command.split(' ').slice(1, 2).join('') || 'decided';

function gone(found) {
  const texts = Object.entries(found.gone).map(([side, text]) => `${side.toUpperCase()}: ${text}`);
  return texts.length
    ? emptyState('One of the two is gone', `${texts.join('; ')}. Its clips can be compared no more; recipes can, where they were kept.`)
    : emptyState('Choose two decisions', 'There is no earlier one to compare with by default.');
}

function summary(found) {
  const kept = found.outcomes[0];
  const sum = (test) => found.cells.filter(test).reduce(([num, long], one) => [num + one.num, long + one.hours], [0, 0]);
  const [lost, lostLong] = sum((one) => one.was === 'kept' && one.now !== 'kept' && one.now !== ABSENT);
  const [gained, gainedLong] = sum((one) => one.now === 'kept' && one.was !== 'kept' && one.was !== ABSENT);
  const [stayed, stayedLong] = sum((one) => one.was === 'kept' && one.now === 'kept');
  const vanished = Object.values(found.vanished.a).concat(Object.values(found.vanished.b)).reduce((one, two) => one + two, 0);
  return el('div', { class: 'figures' },
    figure('kept, A → B', `${count(kept.a)} → ${count(kept.b)}`, signed(kept.b - kept.a)),
    figure('hours, A → B', `${hours(kept.a_hours)} → ${hours(kept.b_hours)}`, signedHours(kept.b_hours - kept.a_hours)),
    figure('kept by both', link(stayed, 'kept', 'kept'), hours(stayedLong)),
    figure('lost', link(lost, 'kept', ANY_RULE), `${hours(lostLong)}, kept in A, rejected in B`, { class: `figure${lost ? ' warn' : ''}` }),
    figure('gained', link(gained, ANY_RULE, 'kept'), `${hours(gainedLong)}, rejected in A, kept in B`, { class: `figure${gained ? ' good' : ''}` }),
    vanished > 0 && el('p', { class: 'state' }, `${count(vanished)} verdicts are on clips that table clips no longer has, because their videos were cut anew since. They are in no figure here.`));
}

const signed = (value) => (value ? `${value > 0 ? '+' : '−'}${count(Math.abs(value))}` : 'no change');
const signedHours = (value) => (Math.abs(value) > 1e-9 ? `${value > 0 ? '+' : '−'}${hours(Math.abs(value))}` : 'no change');

function link(num, was, now) {
  return num ? el('a', { href: href({ was, now, page: null }) }, count(num)) : count(num);
}

function recipes({ a, b, recipe }) {
  if (!a || !b) return null;
  const title = el('h2', {}, 'Recipe');
  if (recipe === null) return el('section', { class: 'card' }, title, el('p', {}, 'One of the two recipes was not kept in the workspace, so they cannot be compared.'));
  if (!recipe.length) return el('section', { class: 'card' }, title, el('p', {}, a.recipe === b.recipe ? 'Both were decided by the same recipe.' : 'No value differs, the engine’s settings left out.'));
  const said = (value) => el('code', {}, value === null ? 'not set' : JSON.stringify(value));
  return el('section', { class: 'card' }, title,
    table([
      { name: 'key', of: (row) => el('code', {}, row.key) },
      { name: 'A', of: (row) => said(row.old) },
      { name: 'B', of: (row) => said(row.new) },
    ], recipe, { class: 'differences', 'aria-label': 'what differs between the recipes' }),
    exports({ name: `recipe-${a.name}-${b.name}`, rows: () => recipe.map(({ key, old, new: now }) => ({ key, a: JSON.stringify(old), b: JSON.stringify(now) })) }));
}

function funnels({ a, b, outcomes }) {
  const most = Math.max(...outcomes.map((one) => Math.max(one.a, one.b)), 1);
  const bars = (one) => el('span', { class: `twin ${one.name === 'kept' ? 'kept' : ''}`, 'aria-hidden': 'true' },
    el('i', { class: 'a', style: `width:${(100 * one.a) / most}%` }), el('i', { class: 'b', style: `width:${(100 * one.b) / most}%` }));
  const totals = outcomes.reduce(([one, two], each) => [one + each.a, two + each.b], [0, 0]);
  return el('section', { class: 'card' }, el('h2', {}, 'Funnel'),
    el('p', { class: 'hint' }, `What became of the ${count(totals[0])} clips of A and the ${count(totals[1])} of B. Every number opens its clips.`),
    table([
      { name: 'outcome', of: (one) => words(one.name) },
      { name: '', of: bars },
      { name: 'A', num: true, of: (one) => link(one.a, one.name, null) },
      { name: 'B', num: true, of: (one) => link(one.b, null, one.name) },
      { name: 'change', num: true, of: (one) => (one.a === one.b ? '–' : signed(one.b - one.a)) },
      { name: 'A, time', num: true, of: (one) => hours(one.a_hours) },
      { name: 'B, time', num: true, of: (one) => hours(one.b_hours) },
      { name: 'change', num: true, of: (one) => (one.a === one.b && Math.abs(one.b_hours - one.a_hours) < 1e-9 ? '–' : signedHours(one.b_hours - one.a_hours)) },
    ], outcomes, { 'aria-label': 'outcomes of both decisions' }),
    exports({ name: `funnel-${a.name}-${b.name}`, rows: () => outcomes }));
}

function matrix({ a, b, outcomes, cells }, wanted) {
  const names = [...outcomes.map((one) => one.name), ABSENT];
  const rows = names.filter((name) => cells.some((one) => one.was === name));
  const columns = names.filter((name) => cells.some((one) => one.now === name));
  const at = new Map(cells.map((one) => [JSON.stringify([one.was, one.now]), one]));
  const moved = cells.filter((one) => one.was !== one.now);
  const most = Math.max(...moved.map((one) => one.num), 1);
  const shown = (was, now) => {
    const one = at.get(JSON.stringify([was, now]));
    if (!one) return el('td', { class: 'none' });
    const kind = was === now ? 'same' : now === 'kept' ? 'gained' : was === 'kept' ? 'lost' : 'other';
    const share = was === now ? 0 : Math.round(12 + 38 * Math.sqrt(one.num / most));
    return el('td', { class: kind, style: `--share:${share}%` },
      el('a', { href: href({ was, now, page: null }), 'aria-current': wanted.was === was && wanted.now === now ? 'true' : null, title: `${words(was)} → ${words(now)}: ${count(one.num)} clips, ${hours(one.hours)}` }, count(one.num)));
  };
  const total = moved.reduce((sum, one) => sum + one.num, 0);
  const all = cells.reduce((sum, one) => sum + one.num, 0);
  return el('section', { class: 'card' }, el('h2', {}, 'Where clips went'),
    el('p', { class: 'hint' }, total
      ? `From the outcome in A (rows) to that in B (columns): ${count(total)} of ${count(all)} clips moved, ${percent(total / all)}. A cell opens its clips.`
      : `All ${count(all)} clips have the same outcome in both.`),
    el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'where clips went' },
      el('table', { class: 'matrix' },
        el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'A ↓  B →'), columns.map((name) => el('th', { scope: 'col' }, words(name))))),
        el('tbody', {}, rows.map((was) => el('tr', {}, el('th', { scope: 'row' }, words(was)), columns.map((now) => shown(was, now))))))),
    el('p', { class: 'legend' }, el('span', { class: 'gained' }, 'gained'), el('span', { class: 'lost' }, 'lost'), el('span', { class: 'other' }, 'another reason'), el('span', { class: 'same' }, 'unchanged')),
    exports({ name: `transitions-${a.name}-${b.name}`, rows: () => cells }));
}

async function drawCell(section, named, wanted, signal) {
  const { was, now } = wanted;
  if (!was && !now) return;
  const page = Number(wanted.page ?? 0);
  const asked = { ...named, was, now };
  const found = await ask('comparison/clips', { ...asked, page, size: PAGE }, signal);
  const last = Math.max(0, Math.ceil(found.num / PAGE) - 1);
  const said = (name) => (name === ANY_RULE ? 'rejected' : words(name ?? 'anything'));
  section.hidden = false;
  replace(section,
    el('div', { class: 'row' }, el('h2', {}, `${said(was)} → ${said(now)}`),
      el('span', { class: 'note' }, `${count(found.num)} clips, ${hours(found.hours)}`),
      el('a', { class: 'close', href: href({ was: null, now: null, page: null }) }, 'close')),
    found.num ? el('div', { class: 'tiles' }, found.clips.map((clip) => el('div', { class: 'moved' }, tile(clip), el('small', {}, `was ${words(clip.was)}`))))
      : el('p', {}, 'No clip went this way.'),
    last > 0 && el('div', { class: 'row' },
      page > 0 && el('a', { href: href({ page: page - 1 || null }) }, '← before'),
      el('span', { class: 'note' }, `page ${count(page + 1)} of ${count(last + 1)}`),
      page < last && el('a', { href: href({ page: page + 1 }) }, 'next →')),
    exports({ name: 'clips', links: ['csv', 'parquet'].map((format) => [`ids as ${format === 'csv' ? 'CSV' : 'Parquet'}`, address('comparison/export', { ...asked, format })]) }));
  const place = JSON.stringify([asked, page]);
  if (place !== scrolled) requestAnimationFrame(() => section.scrollIntoView({ block: 'start' }));
  scrolled = place;
}

export default {
  id: 'compare',
  title: 'Compare',
  hint: 'Two decisions, of two runs or of two subsets: what was asked for, what came of it, and which clips moved.',
  draw,
};
