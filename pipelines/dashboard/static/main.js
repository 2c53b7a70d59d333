// The frame of the page: its head, the rail of panels, and the panel that the URL names.

import { ask, Refused } from './core/api.js';
import { el, replace } from './core/dom.js';
import { errorBox, waiting } from './core/parts.js';
import { go, href, onState, panelHref, state } from './core/state.js';
import { GROUPS, PANELS } from './panels/index.js';

const LOOK_MS = 3000;

const top = document.getElementById('top');
const rail = document.getElementById('rail');
const main = document.getElementById('panel');

let overview = null;
let lost = '';
let drawn = { controller: null, leave: null };

function drawTop() {
  const { subset } = state();
  const place = overview.workspace;
  const select = el('select', { id: 'subset', onchange: (e) => go(href({ subset: e.target.value, rule: null, page: null })) },
    overview.subsets.map((name) => el('option', { value: name, selected: name === subset }, name)));
  replace(top,
    el('a', { class: 'brand', href: '/' }, 'Moviola'),
    el('span', { class: 'place', title: place }, place.split('/').slice(-2).join('/')),
    overview.subsets.length > 0 && el('label', { class: 'pick' }, 'subset ', select),
    overview.run && el('span', { class: overview.run.is_alive ? 'live' : 'stale', title: overview.run.command },
      overview.run.is_alive ? 'a run is at work' : 'a run has died'),
    lost && el('span', { class: 'stale', role: 'status' }, lost),
    overview.making && overview.is_ready && el('span', { class: 'stale' }, overview.making));
}

function drawRail() {
  const now = panelOf(state());
  replace(rail, GROUPS.map(([title, ids]) => el('div', { class: 'group' },
    el('h2', {}, title),
    ids.map((id) => el('a', { href: panelHref(id), 'aria-current': id === now.id ? 'page' : null }, PANELS.get(id).title)))));
  // On a narrow page the rail is a strip: the open panel's name has to be in sight.
  const open = rail.querySelector('[aria-current]');
  if (open) rail.scrollLeft = Math.max(0, open.offsetLeft - rail.clientWidth / 2);
}

function panelOf({ panel }) {
  return PANELS.get(panel) ?? PANELS.get('funnel');
}

async function draw() {
  if (!overview) return;
  drawn.controller?.abort();
  drawn.leave?.();
  const controller = new AbortController();
  drawn = { controller, leave: null };
  const wanted = state();
  if (!overview.is_ready) {
    replace(main, notReady());
    return;
  }
  if (!overview.subsets.includes(wanted.subset)) wanted.subset = overview.subsets[0];
  drawTop();
  drawRail();
  const panel = panelOf(wanted);
  document.title = `${panel.title} · Moviola`;
  const body = el('div', { class: 'body' }, waiting());
  replace(main, el('div', { class: 'head' }, el('h1', {}, panel.title), el('p', { class: 'hint' }, panel.hint)), body);
  const context = { state: wanted, overview, signal: controller.signal, body };
  try {
    const leave = await panel.draw(body, context);
    if (controller.signal.aborted) leave?.();
    else drawn.leave = leave;
  } catch (error) {
    if (error.name === 'AbortError' || controller.signal.aborted) return;
    replace(body, errorBox(error));
    if (!(error instanceof Refused)) throw error;
  }
}

function notReady() {
  return overview.problem
    ? el('section', { class: 'state bad' }, el('h1', {}, 'This cannot be shown'), el('p', {}, overview.problem))
    : el('section', { class: 'state' }, el('h1', {}, 'Opening the workspace'),
      el('p', {}, `${overview.making || 'looking'} …`),
      el('p', { class: 'hint' }, 'The first time, an index of all tables is made; later it opens at once.'));
}

/** Looks for changes: a commit has the panel drawn anew, unless someone is busy in it. */
async function look() {
  try {
    const found = await ask('state');
    const changed = lost || found.mark !== overview?.mark || found.is_ready !== overview?.is_ready || found.problem !== overview?.problem;
    overview = found;
    lost = '';
    if (changed && !document.querySelector('.busy')) await draw();
    else if (!found.is_ready) await draw();
    else drawTop();
  } catch (error) {
    if (error.name === 'AbortError') return;
    lost = error.message;
    if (overview) drawTop();
    else replace(main, errorBox(error));
  }
  setTimeout(look, overview?.is_ready ? LOOK_MS : 300);
}

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href^="?"], a[href="/"]');
  if (!link || event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(link.getAttribute('href'));
  if (!link.closest('.body')) main.focus({ preventScroll: true });
  scrollTo({ top: 0 });
});

document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target.matches?.('input, textarea, select')) return;
  const search = document.querySelector('[data-search]');
  if (search) {
    event.preventDefault();
    search.focus();
  }
});

onState(draw);
look();
