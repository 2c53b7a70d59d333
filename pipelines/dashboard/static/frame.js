// What stands around the panel: the head with the workspace and its subset, and the rail of panels.

import { el, replace } from './core/dom.js';
import { focusAgain, focusedIn } from './core/focus.js';
import { go, href, panelHref, state } from './core/state.js';
import { GROUPS, PANELS } from './panels/index.js';

const rail = document.getElementById('rail');
const top = document.getElementById('top');
const told = el('div', { class: 'told' });
/** It stays, so that what it comes to say is read out. */
const warning = el('span', { class: 'stale', role: 'status' });
const LONG_S = 10;
let shown = '';

top.append(told, warning);

/** What a step has been waiting for; empty where it is not worth a word. */
export function waitingFor({ workspace, making, waits_s: waits }) {
  if (!(waits > LONG_S)) return '';
  return `waiting for ${workspace} for ${Math.round(waits)} s (${making || 'looking for commits'})`;
}

/** Draws the head if it has changed; `lost` says why the server does not answer. */
export function drawTop(overview, lost) {
  const wrong = lost || overview.problem || waitingFor(overview);
  if (warning.textContent !== wrong) warning.textContent = wrong;
  const { subsets, run, workspace, making, is_ready: isReady } = overview;
  const now = { subset: state().subset ?? subsets[0], subsets, run, workspace, making, isReady };
  const key = JSON.stringify(now);
  if (key === shown) return;
  shown = key;
  const had = focusedIn(told);
  replace(
    told,
    el('a', { class: 'brand', href: '/' }, 'Moviola'),
    el('span', { class: 'place', title: workspace }, workspace.split('/').slice(-2).join('/')),
    subsets.length > 0 && el('label', { class: 'pick' }, 'subset ', subsetSelect(now)),
    run && runAtWork(run),
    making && isReady && el('span', { class: 'stale' }, making),
  );
  focusAgain(told, had);
}

function subsetSelect({ subset, subsets }) {
  return el(
    'select',
    { id: 'subset', onchange: (e) => go(href({ subset: e.target.value, rule: null, page: null })) },
    subsets.map((name) => el('option', { value: name, selected: name === subset }, name)),
  );
}

function runAtWork({ is_alive: isAlive, command }) {
  const text = isAlive ? 'a run is at work' : 'a run has died';
  return el('span', { class: isAlive ? 'live' : 'stale', title: command }, text);
}

/** Draws the rail with a panel open. */
export function drawRail(open) {
  replace(
    rail,
    GROUPS.map(([title, ids]) =>
      el(
        'div',
        { class: 'group' },
        el('h2', {}, title),
        ids.map((id) => panelLink(id, open)),
      ),
    ),
  );
  // On a narrow page the rail is a strip: the open panel's name has to be in sight.
  const current = rail.querySelector('[aria-current]');
  if (current) rail.scrollLeft = Math.max(0, current.offsetLeft - rail.clientWidth / 2);
}

function panelLink(id, open) {
  const current = id === open ? 'page' : null;
  return el('a', { href: panelHref(id), 'aria-current': current }, PANELS.get(id).title);
}
