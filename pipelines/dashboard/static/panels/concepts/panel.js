// What the footage shows: concepts on a map, and what resampling makes of their shares.

import { quoted } from '../../core/commands.js';
import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { emptyState } from '../../core/parts.js';
import { go, note, state as pageState } from '../../core/state.js';
import { ConceptMap } from './canvas.js';
import { conceptFigures } from './figures.js';
import { examplesOf, pickedLine } from './picked.js';
import { conceptTable } from './table.js';
import { mapTools } from './tools.js';

const NOTE_MS = 250;
const CSV_NAMES = [
  'concept_id',
  'name',
  'num',
  'num_rejected',
  'found_size',
  'share',
  'resampled_share',
  'target_share',
  'weight',
  'target_weight',
  'x',
  'y',
];

/** Draws the panel; may return what is to be done when it is left. */
export async function draw(body, { state, overview, signal }) {
  if (!state.subset) {
    replace(
      body,
      emptyState('No subset has been selected yet', 'Concepts are counted in what a subset keeps.'),
    );
    return;
  }
  const found = await ask('concepts', { subset: state.subset }, signal);
  if (!found.concepts.length) {
    replace(body, noConcepts(overview.workspace));
    return;
  }
  const concepts = found.concepts.map((one) => ({
    ...one,
    before: one.share ?? 0,
    after: one.resampled_share ?? 0,
  }));
  const { tools, map, line, rows, sayPicked } = linked(found, concepts, state);
  replace(
    body,
    conceptFigures(found, concepts, state.subset),
    el(
      'div',
      { class: 'concept-columns' },
      mapCard(tools, map, line, {
        name: `concepts-${state.subset}`,
        rows: () => concepts.map(csvRow),
      }),
      rows.node,
    ),
  );
  // Only now, when the line is in the page: what comes into it then is read out.
  sayPicked();
}

function noConcepts(workspace) {
  return emptyState(
    'No concepts have been found',
    'Clips are grouped by what they show where the recipe has scores.concept and selection.concepts. Add these and run again; only what is missing is made.',
    `moviola curate RECIPE --workspace ${quoted(workspace)}`,
  );
}

/** The map, the table and the line of what is picked: what is picked in one is so in all. */
function linked(found, concepts, state) {
  const phase = state.weights === 'before' ? 'before' : 'after';
  const picked = new Set((state.picked ?? '').split(',').filter(Boolean).map(Number));
  const line = el('p', { class: 'row picked', 'aria-live': 'polite' });
  const rows = conceptTable(found, concepts, { state, picked, choose });
  const map = new ConceptMap(concepts, {
    phase,
    picked,
    view: viewOf(state.at),
    callbacks: {
      open: (one) => go(examplesOf(state.subset, [one.concept_id])),
      pick: choose,
      hover: (one) => rows.mark(one?.concept_id),
      moved: noteView,
    },
  });
  function say(ids) {
    replace(
      line,
      pickedLine(concepts, ids, state.subset, () => choose([])),
    );
  }
  function choose(ids) {
    const chosen = new Set(ids);
    map.pick(chosen);
    rows.pick(chosen);
    note({ picked: [...ids].join(',') || null });
    say(chosen);
  }
  const tools = mapTools(map, phase, found.is_weighed);
  return { tools, map, line, rows, sayPicked: () => say(picked) };
}

function mapCard(tools, map, line, saved) {
  const offstage = el('div', { class: 'offstage', 'aria-hidden': 'true' });
  const chart = () => {
    const drawing = map.svg();
    // Its style is that of an element of the page.
    replace(offstage, drawing);
    return drawing;
  };
  return el(
    'section',
    { class: 'card', 'aria-label': 'Map' },
    tools,
    map.node,
    line,
    offstage,
    exports({ ...saved, chart }),
  );
}

let timer = 0;

/** Notes the part of the map that is shown, once it has come to rest. */
function noteView(view) {
  const text = view && [view.k, view.x, view.y].map((value) => value.toFixed(2)).join(',');
  clearTimeout(timer);
  timer = setTimeout(() => {
    // Whoever has left the panel takes nothing of it along.
    if (pageState().panel === 'concepts') note({ at: text });
  }, NOTE_MS);
}

function viewOf(text) {
  const [k, x, y] = (text ?? '').split(',').map(Number);
  return [k, x, y].every(Number.isFinite) && k > 0 ? { k, x, y } : null;
}

const csvRow = (concept) => Object.fromEntries(CSV_NAMES.map((name) => [name, concept[name]]));
