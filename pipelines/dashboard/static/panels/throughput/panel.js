// How fast each stage went, what it cost, and how the run at work is getting on.

import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { emptyState } from '../../core/parts.js';
import { go } from '../../core/state.js';
import { costsCard } from './costs.js';
import { courseCard } from './course.js';
import { slowestCard, sourcesCard, statusCard } from './cpu.js';
import { idleNote, liveCard } from './live.js';
import { runsCard } from './runs.js';

const LIVE_MS = 3000;
const IDLE_MS = 6000;
const COSTS_EVERY = 5;
const PLACES = ['live', 'course', 'costs', 'runs'];

/** Draws the panel; may return what is to be done when it is left. */
export async function draw(body, { state, signal }) {
  const [told, spent] = await Promise.all([askPace(state, signal), askCosts(state, signal)]);
  if (!told.runs.length) {
    replace(
      body,
      emptyState(
        'No run has written anything yet',
        'Rates come from the commits of runs. Start one:',
        'moviola curate movie-gen-256p --input FOOTAGE --workspace WORKSPACE',
      ),
    );
    return undefined;
  }
  const places = Object.fromEntries(PLACES.map((name) => [name, el('div', { class: 'body' })]));
  replace(body, Object.values(places));
  const page = { state, places, drawn: {}, wasLive: false };
  show(page, told);
  showCosts(page, spent);
  return follow(page, told, signal);
}

const askPace = (state, signal) => ask('throughput', { run: state.run }, signal);
const askCosts = (state, signal) => ask('costs', { subset: state.subset ?? '' }, signal);

/** Asks again and again; only what has changed is drawn anew. Returns what stops that. */
function follow(page, first, signal) {
  let timer = 0;
  let round = 0;
  const again = (told) => {
    timer = setTimeout(look, told.live ? LIVE_MS : IDLE_MS);
  };
  async function look() {
    let told = first;
    try {
      told = await askPace(page.state, signal);
      show(page, told);
      round += 1;
      if (told.live && round % COSTS_EVERY === 0) {
        showCosts(page, await askCosts(page.state, signal));
      }
    } catch (error) {
      if (error.name === 'AbortError' || signal.aborted) return;
      page.places.live.prepend(el('p', { class: 'bad', role: 'status' }, error.message));
    }
    again(told);
  }
  again(first);
  return () => clearTimeout(timer);
}

function show(page, told) {
  const { live, course, runs } = page.places;
  // The page as a whole is not drawn anew for each commit of a run: this panel looks by itself.
  live.classList.toggle('busy', Boolean(told.live));
  const hasEnded = page.wasLive && !told.live;
  page.wasLive = Boolean(told.live);
  if (hasEnded) {
    go(location.search);
    return;
  }
  replace(live, told.live ? liveCard(told.live, told.now_ms) : idleNote(told));
  ifChanged(page, 'course', told.chosen, () => replace(course, courseCard(told)));
  ifChanged(page, 'runs', told.runs, () => replace(runs, runsCard(told)));
}

function showCosts(page, spent) {
  ifChanged(page, 'costs', spent, () =>
    replace(
      page.places.costs,
      costsCard(spent, page.state),
      el('div', { class: 'columns' }, statusCard(spent), sourcesCard(spent)),
      slowestCard(spent),
    ),
  );
}

function ifChanged(page, name, value, action) {
  const text = JSON.stringify(value);
  if (page.drawn[name] === text) return;
  page.drawn[name] = text;
  action();
}
