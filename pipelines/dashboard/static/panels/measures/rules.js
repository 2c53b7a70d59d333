// The changed rules of the URL: `rule=name:min:max` for each.

/** The list of the URL with one rule set; null is no bound. A rule as it was decided is left out. */
export function withRule(list, measure, { min, max }) {
  const name = measure.rule?.name ?? measure.name;
  const others = list.filter((text) => nameOf(text) !== name);
  const was = measure.rule?.was ?? { min: null, max: null };
  if (min === was.min && max === was.max) return others;
  return [...others, `${name}:${min ?? ''}:${max ?? ''}`];
}

/** The bounds of a measure as they are now. */
export function boundsOf(list, measure) {
  const name = measure.rule?.name ?? measure.name;
  const text = list.find((one) => nameOf(one) === name);
  if (!text) return measure.rule?.was ?? { min: null, max: null };
  const [min, max] = text.split(':').slice(1);
  return { min: min === '' ? null : Number(min), max: max === '' ? null : Number(max) };
}

const nameOf = (text) => text.slice(0, text.indexOf(':'));

/** A bound as it is compared: in the type that the measure is stored in. */
export const asStored = (bound, { is_float32: isFloat32 }) =>
  bound !== null && isFloat32 ? Math.fround(bound) : bound;

/**
 * How many of the values lie between two bounds, both inclusive, and their hours.
 * @param {Float64Array} values sorted
 * @param {Float32Array} hours of the first n values, one longer
 */
export function between(values, hours, min, max, every = 1) {
  const from = min === null ? 0 : d3.bisectLeft(values, min);
  const to = max === null ? values.length : d3.bisectRight(values, max);
  const num = Math.max(0, to - from);
  return { num: num * every, hours: num ? hours[to] - hours[from] : 0 };
}
