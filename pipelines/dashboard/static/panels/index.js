// The panels by id, in the groups of the rail.

const ALL = [
  {
    id: 'funnel',
    title: 'Funnel',
    hint: 'What went into each step, what came out, and what was lost to which reason.',
    load: () => import('./funnel/panel.js'),
  },
  {
    id: 'measures',
    title: 'Thresholds',
    hint: 'What each measure is, where it is cut, and what another threshold would keep.',
    load: () => import('./measures/panel.js'),
  },
  {
    id: 'examples',
    title: 'Examples',
    hint: 'Clips by what became of them, those nearest to a threshold first. Arrow keys move, Enter opens.',
    load: () => import('./examples/panel.js'),
  },
  {
    id: 'clip',
    title: 'Clip',
    hint: 'Keys: j and k step through the list, [ and ] through the video.',
    load: () => import('./clip/panel.js'),
  },
  {
    id: 'concepts',
    title: 'Concepts',
    hint: 'What the kept clips show, grouped, and how resampling shifts the shares.',
    load: () => import('./concepts/panel.js'),
  },
  {
    id: 'duplicates',
    title: 'Duplicates',
    hint: 'Clips that show the same: which was kept, why that one, and how alike the others are.',
    load: () => import('./duplicates/panel.js'),
  },
  {
    id: 'captions',
    title: 'Captions',
    hint: 'What was written of each clip, what it rests on, and what people say of it.',
    load: () => import('./captions/panel.js'),
  },
  {
    id: 'compare',
    title: 'Compare',
    hint: 'Two decisions, of two runs or of two subsets: what was asked for, what came of it, and which clips moved.',
    load: () => import('./compare/panel.js'),
  },
  {
    id: 'failures',
    title: 'Failures',
    hint: 'What did not come through, step by step: why, from where, and the command that shows it alone.',
    load: () => import('./failures/panel.js'),
  },
  {
    id: 'throughput',
    title: 'Throughput',
    hint: 'How fast each stage went, what a kept clip costs, and how the run at work is getting on. All times are UTC.',
    load: () => import('./throughput/panel.js'),
  },
  {
    id: 'shards',
    title: 'Shards',
    hint: 'The files of the samples and their latents, what is in them, and which training runs have read them.',
    load: () => import('./shards/panel.js'),
  },
  {
    id: 'training',
    title: 'Training',
    hint: 'Losses beside the floors that they cannot simply fall below, samples step by step, and what was trained on.',
    load: () => import('./training/panel.js'),
  },
];

/** Each has a module with `draw(body, context)`, which `load` fetches when it is first looked at. */
export const PANELS = new Map(ALL.map((panel) => [panel.id, panel]));

/** What stands in the rail. */
export const GROUPS = [
  [
    'Curation',
    ['funnel', 'measures', 'examples', 'concepts', 'duplicates', 'captions', 'compare', 'failures'],
  ],
  ['Runs', ['throughput', 'shards', 'training']],
];
