// The panels by id, in the groups of the rail.

import captions from './captions.js';
import clip from './clip.js';
import compare from './compare.js';
import concepts from './concepts.js';
import duplicates from './duplicates.js';
import examples from './examples.js';
import failures from './failures.js';
import funnel from './funnel.js';
import measures from './measures.js';
import shards from './shards.js';
import throughput from './throughput.js';
import training from './training.js';

const ALL = [funnel, measures, examples, clip, concepts, duplicates, captions, compare, failures, throughput, shards, training];

/** Each is `{ id, title, hint, draw(body, context) }`; `draw` may return a function to leave with. */
export const PANELS = new Map(ALL.map((panel) => [panel.id, panel]));

/** What stands in the rail. */
export const GROUPS = [
  ['Curation', ['funnel', 'measures', 'examples', 'concepts', 'duplicates', 'captions', 'compare', 'failures']],
  ['Runs', ['throughput', 'shards', 'training']],
];
