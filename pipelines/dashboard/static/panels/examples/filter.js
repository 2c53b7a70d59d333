// The filter of clips, as the URL and the server know it.

/** The fields of a filter, without subset, rules and order. */
export const FIELDS = [
  'verdict',
  'reason',
  'outcome',
  'measure',
  'low',
  'high',
  'concept',
  'duplicate_of',
  'video',
  'flag',
  'text',
];

/** The orders of clips, by what they are called. */
export const ORDERS = {
  near: 'nearest to a threshold',
  random: 'random',
  best: 'most of the measure',
  worst: 'least of the measure',
  time: 'video and time',
};

/** The part of the state that is the filter of clips. */
export function filterOf(state) {
  const found = {
    subset: state.subset,
    rule: state.rule,
    order: state.order in ORDERS ? state.order : 'near',
  };
  for (const name of FIELDS) if (state[name] !== undefined) found[name] = state[name];
  return found;
}
