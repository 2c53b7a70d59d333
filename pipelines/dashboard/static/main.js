// The page: it looks for changes, and draws the panel that the URL names.

import { ask, Refused, SILENT } from './core/api.js';
import { el, replace } from './core/dom.js';
import { focusAgain, focusedIn } from './core/focus.js';
import { errorBox, waiting } from './core/parts.js';
import { go, onState, state } from './core/state.js';
import { drawRail, drawTop, waitingFor } from './frame.js';
import { PANELS } from './panels/index.js';

const LOOK_MS = 3000;
const AHEAD_MS = 300;

const main = document.getElementById('panel');

let overview = null;
let lost = '';
let isBroken = false;
let drawn = { controller: null, leave: null };

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
  const panel = PANELS.get(wanted.panel) ?? PANELS.get('funnel');
  drawTop(overview, lost);
  drawRail(panel.id);
  document.title = `${panel.title} · Moviola`;
  const had = focusedIn(main);
  await drawPanel(panel, wanted, controller);
  if (!controller.signal.aborted) focusAgain(main, had);
}

async function drawPanel(panel, wanted, controller) {
  const { signal } = controller;
  const body = el('div', { class: 'body' }, waiting());
  replace(
    main,
    el('div', { class: 'head' }, el('h1', {}, panel.title), el('p', { class: 'hint' }, panel.hint)),
    body,
  );
  try {
    const { draw: drawBody } = await loaded(panel);
    if (signal.aborted) return;
    const leave = await drawBody(body, { state: wanted, overview, signal, body });
    if (signal.aborted) leave?.();
    else drawn.leave = leave;
  } catch (error) {
    if (error.name === 'AbortError' || signal.aborted) return;
    replace(body, errorBox(error));
    if (!(error instanceof Refused)) throw error;
  }
}
/** The module of a panel. A browser does not try again to load one: then the page begins anew. */
async function loaded(panel) {
  try {
    return await panel.load();
  } catch {
    isBroken = true;
    throw new Refused(0, SILENT);
  }
}

/** Loads the other panels, so that each is there at once when it is asked for. */
function loadAhead() {
  setTimeout(() => {
    for (const panel of PANELS.values()) panel.load().catch(() => {});
  }, AHEAD_MS);
}

function notReady() {
  const { problem, making } = overview;
  if (problem)
    return el(
      'section',
      { class: 'state bad' },
      el('h1', {}, 'This cannot be shown'),
      el('p', {}, problem),
    );
  return el(
    'section',
    { class: 'state' },
    el('h1', {}, 'Opening the workspace'),
    el('p', {}, waitingFor(overview) || `${making || 'looking'} …`),
    el(
      'p',
      { class: 'hint' },
      'The first time, an index of all tables is made; later it opens at once.',
    ),
  );
}

/** Looks for changes: a commit has the panel drawn anew, unless someone is busy in it. */
async function look() {
  try {
    const found = await ask('state');
    const changed =
      lost ||
      found.mark !== overview?.mark ||
      found.is_ready !== overview?.is_ready ||
      found.problem !== overview?.problem;
    if (isBroken && lost) location.reload();
    overview = found;
    lost = '';
    if (changed && !document.querySelector('.busy')) await draw();
    else if (!found.is_ready) await draw();
    else drawTop(overview, lost);
  } catch (error) {
    if (error.name === 'AbortError') return;
    lost = error.message;
    if (overview) drawTop(overview, lost);
    else replace(main, errorBox(error));
  }
  setTimeout(look, overview?.is_ready ? LOOK_MS : 300);
}

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href^="?"], a[href="/"]');
  if (
    !link ||
    event.defaultPrevented ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.button
  )
    return;
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
look().then(loadAhead);
