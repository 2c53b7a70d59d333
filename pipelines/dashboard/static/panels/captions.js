// Captions beside what they describe: flags, facts, camera; accepted, rejected or edited by a person.

import { ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { count, percent, words } from '../core/format.js';
import { emptyState, exports, figure } from '../core/parts.js';
import { go, href, panelHref } from '../core/state.js';
import { captionCard } from './caption_card.js';

const SIZE = 10;
const REVIEWS = { no: 'not yet reviewed', yes: 'reviewed', accept: 'accepted', reject: 'rejected', edit: 'edited', outdated: 'written again since' };
const ORDERS = { flagged: 'flagged first', clip: 'by clip', shortest: 'shortest', longest: 'longest', camera: 'camera least sure', latest: 'last reviewed' };
const NAMES = ['of', 'captioner', 'flag', 'reviewed', 'words', 'text', 'order'];

async function draw(body, { state, overview, signal }) {
  if (!overview.captioners.length) {
    replace(body, emptyState('No captions yet', 'Clips that a subset keeps are captioned where the recipe has captioning.',
      `moviola curate RECIPE --workspace '${overview.workspace}'`));
    return null;
  }
  if (!state.subset) {
    replace(body, emptyState('No subset has been selected yet', 'Captions are shown by subset.'));
    return null;
  }
  const page = Math.max(0, Number(state.page) || 0);
  const asked = Object.fromEntries([...NAMES.map((name) => [name, state[name]]), ['subset', state.subset], ['clip', state.clip]]);
  const found = await ask('captions', { ...asked, page, size: SIZE }, signal);
  const tally = tallied(found);
  const figures = el('div', { class: 'figures' });
  const list = el('div', { class: 'caption-list', role: 'list', 'aria-label': 'Captions' });
  const cards = found.captions.map((one) => captionCard(one, {
    judged: (before, after) => {
      // From now on a redraw would take away what is being worked on.
      list.classList.add('busy');
      tally.move(before, after);
      replace(figures, ...told(found, tally.counts, state));
    },
    next: (card) => step(cards, card, 1) || pagerFocus(body),
  }));
  replace(figures, ...told(found, tally.counts, state));
  replace(list, cards.map((card) => card.node));
  replace(body, figures, applied(found, state.subset), filters(state, found),
    el('div', { class: 'caption-columns' },
      el('div', { class: 'caption-main' },
        cards.length ? keysLine() : emptyState('No caption is like that', 'Take a filter away to see more.'),
        list, pager(state, page, found.num)),
      el('aside', { class: 'caption-side' }, flagList(state, found), lengthCard(state, found),
        exports({ name: `captions-${state.subset}`, rows: () => found.captions.map(csvRow), chart: () => body.querySelector('.caption-lengths svg') }))));

  const onKey = (event) => {
    if (event.target.matches?.('input, textarea, select') || event.ctrlKey || event.metaKey || event.altKey) return;
    const now = cards.find((card) => card.node.contains(document.activeElement)) ?? cards[0];
    if (!now) return;
    const isInside = now.node.contains(document.activeElement);
    const keys = {
      ArrowDown: () => (isInside ? step(cards, now, 1) : now.node.focus()), ArrowUp: () => step(cards, now, -1),
      a: () => now.judge('accept'), r: () => now.judge('reject'), e: () => now.edit(), n: () => now.noteField(), p: () => now.play(),
    };
    const act = keys[event.key];
    if (!act || (event.key.length === 1 && !isInside)) return;
    event.preventDefault();
    act();
  };
  document.addEventListener('keydown', onKey);
  return () => document.removeEventListener('keydown', onKey);
}

function step(cards, card, by) {
  const next = cards[cards.indexOf(card) + by];
  next?.node.focus();
  next?.node.scrollIntoView({ block: 'nearest', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
  return Boolean(next);
}

const pagerFocus = (body) => body.querySelector('.pages a:last-of-type')?.focus();

/** Counts by verdict that follow what is judged on this page. */
function tallied(found) {
  const counts = { none: 0, outdated: 0, accept: 0, reject: 0, edit: 0, ...found.reviewed };
  return { counts, move: (before, after) => {
    counts[before] -= 1;
    counts[after] += 1;
  } };
}

function told(found, counts, state) {
  const total = Object.values(counts).reduce((sum, one) => sum + one, 0);
  const done = counts.accept + counts.reject + counts.edit;
  const by = (name, value) => (value ? el('a', { href: href({ reviewed: name, page: null }) }, count(value)) : count(value));
  const flagged = found.flags.reduce((sum, one) => sum + one.num, 0);
  return [
    figure('captions', count(found.num), `of ${count(found.num_clips)} ${found.num_clips === 1 ? 'clip' : 'clips'}`, { id: 'caption-count' }),
    figure('reviewed', by('yes', done), `${percent(total ? done / total : 0)} of ${count(total)}`, { id: 'reviewed-count' }),
    figure('accepted', by('accept', counts.accept), 'as they are', { class: 'figure good' }),
    figure('edited', by('edit', counts.edit), 'other words instead'),
    figure('rejected', by('reject', counts.reject), 'by a person', { class: `figure${counts.reject ? ' warn' : ''}` }),
    counts.outdated > 0 && figure('outdated', by('outdated', counts.outdated), 'written again since'),
    figure('flags', flagged ? el('a', { href: href({ flag: 'any', page: null }) }, count(flagged)) : '0', 'raised by the checks'),
    found.num_failed > 0 && figure('failed', el('a', { href: panelHref('failures', { stage: 'captions' }) }, count(found.num_failed)), 'no caption was made', { class: 'figure bad' }),
  ];
}

/** What the verdicts do to the subset's samples. */
function applied(found, subset) {
  const recipe = (value) => el('code', {}, `subsets.${subset}.caption_reviews: ${value}`);
  if (found.caption_reviews === 'required') return el('p', { class: 'hint' }, `${subset} trains only on captions that a person accepted or edited.`);
  if (found.caption_reviews === 'apply') return el('p', { class: 'hint' }, `${subset} takes no rejected caption, and edits in place of what was written, from the next run on.`);
  return el('p', { class: 'hint' }, `Verdicts are kept, and change nothing in the samples of ${subset} until its recipe says `, recipe('apply'), ' or ', recipe('required'), '.');
}

function filters(state, found) {
  const pick = (name, label, options, none) => el('label', {}, `${label} `, el('select', { 'data-filter': name, onchange: (event) => go(href({ [name]: event.target.value || null, page: null })) },
    none !== null && el('option', { value: '' }, none),
    options.map(([value, text]) => el('option', { value, selected: state[name] === value }, text))));
  const text = el('input', { type: 'search', 'data-search': true, 'aria-label': 'Search in captions', placeholder: 'words in a caption  /', maxlength: 200, '.value': state.text ?? '',
    onfocus: () => text.classList.add('busy'), onblur: () => text.classList.remove('busy'),
    onchange: () => go(href({ text: text.value.trim() || null, page: null })) });
  const tally = (row) => `${count(row.num)}`;
  const names = new Set([...found.captioners.map((row) => row.captioner), state.captioner].filter(Boolean));
  const numOf = new Map(found.captioners.map((row) => [row.captioner, tally(row)]));
  const active = [...NAMES, 'clip'].filter((name) => state[name] && name !== 'order');
  return el('div', { class: 'row caption-filters' },
    pick('reviewed', 'review', Object.entries(REVIEWS), 'any'),
    pick('captioner', 'captioner', [...names].map((name) => [name, `${name} (${numOf.get(name) ?? 0})`]), 'all'),
    pick('of', 'clips', [['all', 'all clips']], `kept in ${state.subset}`),
    pick('order', 'order', Object.entries(ORDERS).slice(1), ORDERS.flagged),
    text,
    state.clip && el('span', { class: 'chip' }, `clip ${state.clip}`),
    state.words && el('span', { class: 'chip' }, `${state.words} words`),
    state.flag && el('span', { class: 'chip' }, state.flag === 'any' ? 'any flag' : words(state.flag)),
    active.length > 0 && el('a', { href: href(Object.fromEntries([...NAMES, 'clip', 'page'].map((name) => [name, null]))) }, 'clear filters'));
}

function keysLine() {
  const name = el('input', { type: 'text', maxlength: 100, autocomplete: 'name', placeholder: 'your name', 'aria-label': 'Reviewer', id: 'reviewer', '.value': localStorage.getItem('reviewer') ?? '',
    oninput: () => localStorage.setItem('reviewer', name.value.trim()) });
  const key = (letter, what) => el('span', {}, el('kbd', {}, letter), ` ${what}`);
  return el('div', { class: 'row caption-keys' },
    el('label', {}, 'reviewer ', name),
    el('span', { class: 'hint row' }, key('↓ ↑', 'choose'), key('a', 'accept'), key('r', 'reject'), key('e', 'edit'), key('n', 'note'), key('p', 'play')));
}

function flagList(state, found) {
  return el('section', { class: 'card' }, el('h2', {}, 'Flags'),
    found.flags.length ? el('ul', { class: 'caption-flags' }, found.flags.map((row) => el('li', {},
      el('a', { href: href({ flag: state.flag === row.flag ? null : row.flag, page: null }), 'aria-current': state.flag === row.flag ? 'true' : null, 'data-flag': row.flag }, words(row.flag)),
      el('b', {}, count(row.num)), el('small', {}, row.meaning))))
      : el('p', { class: 'hint' }, 'The checks found nothing wrong with these captions.'));
}

function lengthCard(state, found) {
  const chart = el('div', { class: 'caption-lengths' });
  const { Plot } = globalThis;
  const paint = () => {
    const lengths = found.lengths.map((row) => ({ ...row, low: row.words - 0.5, high: row.words + 0.5 }));
    const plot = Plot.plot({
      width: chart.clientWidth || 280, height: 150, marginLeft: 34, marginBottom: 32,
      style: { background: 'none', fontSize: '12px', fontFamily: 'inherit' },
      ariaLabel: 'Histogram of the length of captions in words',
      x: { label: 'words →', nice: true }, y: { label: 'captions', grid: true, ticks: 3, tickFormat: (value) => (Number.isInteger(value) ? count(value) : '') },
      marks: [
        Plot.rectY(lengths, { x1: 'low', x2: 'high', y: 'num', fill: (row) => (String(row.words) === state.words ? 'var(--here)' : 'var(--accent)'),
          href: (row) => href({ words: state.words === String(row.words) ? null : row.words, page: null }), ariaLabel: (row) => `${row.words} words: ${row.num}`, title: (row) => `${row.words} words: ${count(row.num)}` }),
        Plot.ruleY([0], { stroke: 'var(--faint)' })],
    });
    replace(chart, plot);
  };
  new ResizeObserver(paint).observe(chart);
  chart.addEventListener('click', (event) => {
    const to = event.target.closest('a')?.getAttribute('href') ?? event.target.closest('a')?.getAttributeNS('http://www.w3.org/1999/xlink', 'href');
    if (!to) return;
    event.preventDefault();
    go(to);
  });
  return el('section', { class: 'card' }, el('h2', {}, 'Length'), chart, el('p', { class: 'hint' }, 'Click a bar for its captions.'));
}

function pager(state, page, num) {
  const last = Math.max(0, Math.ceil(num / SIZE) - 1);
  if (!last) return null;
  // Once reviewed, captions leave this list: the next ones then stand on the same page.
  const isShrinking = state.reviewed === 'no';
  return el('div', { class: 'row pages', role: 'navigation', 'aria-label': 'Pages of captions' },
    page > 0 && el('a', { href: href({ page: page - 1 || null }) }, '← previous'),
    el('span', { class: 'hint' }, `${count(page * SIZE + 1)} to ${count(Math.min(num, (page + 1) * SIZE))} of ${count(num)}`),
    isShrinking && el('a', { href: href({}) }, 'reload what is left'),
    page < last && el('a', { href: href({ page: page + 1 }) }, 'next →'));
}

const csvRow = ({ clip_id, captioner, model, prompt_version, origin, caption, num_words, camera, camera_confidence, flags, review, edited, note, reviewer, reviewed_at }) => (
  { clip_id, captioner, model, prompt_version, origin, caption, num_words, camera, camera_confidence, flags: flags.join(' '), review, edited, note, reviewer, reviewed_at });

export default {
  id: 'captions',
  title: 'Captions',
  hint: 'What was written of each clip, what it rests on, and what people say of it.',
  draw,
};
