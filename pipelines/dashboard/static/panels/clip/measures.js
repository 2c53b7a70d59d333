// The measures of one clip: each with where it lies among all clips, and its thresholds.

import { asStored } from '../measures/rules.js';
import { el, svg } from '../../core/dom.js';
import { number, words } from '../../core/format.js';
import { hint } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';

const WIDTH = 150;
const HEIGHT = 18;

/** All measures: those that a rule bounds first. */
export function measureList(measures) {
  const ruled = measures.filter((one) => one.rule);
  const free = measures.filter((one) => !one.rule);
  const list = (rows) => el('dl', { class: 'strips' }, rows.map(row));
  return [
    ruled.length > 0 && [el('h3', {}, 'With a rule'), list(ruled), el('h3', {}, 'Without')],
    list(free),
    hint(
      'Each line reaches from the least to the most of all clips, without the outermost 0.5 % where these are far out; the tick is the median, the band is what the rule lets pass.',
    ),
  ];
}

function row(measure) {
  const { name, value, doc } = measure;
  const link = el('a', { href: panelHref('measures', { measure: name }) }, words(name));
  const shown = el('span', { class: `num ${stateOf(measure)}` }, number(value));
  return el('div', { title: doc }, el('dt', {}, link), el('dd', {}, strip(measure), shown));
}

function stateOf(measure) {
  const { value, rule } = measure;
  if (!rule || value === null) return '';
  const [min, max] = [rule.min, rule.max].map((bound) => asStored(bound, measure));
  const passes = (min === null || value >= min) && (max === null || value <= max);
  return passes ? 'inside' : 'outside';
}

/** Where the value lies: line, median, what passes, thresholds, and the value as a dot. */
function strip(measure) {
  const { median, value } = measure;
  const { from, to, x } = axisOf(measure);
  const middle = HEIGHT / 2;
  const upright = (name, at, reach) =>
    svg('line', { class: name, x1: x(at), x2: x(at), y1: middle - reach, y2: middle + reach });
  return svg(
    'svg',
    {
      width: WIDTH,
      height: HEIGHT,
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: 'img',
      'aria-label': told(measure),
    },
    passing(measure.rule, { from, to, x }),
    svg('line', { class: 'axis', x1: 4, x2: WIDTH - 4, y1: middle, y2: middle }),
    upright('median', median, 4),
    boundsOf(measure.rule)
      .filter((bound) => bound >= from && bound <= to)
      .map((bound) => upright('bound', bound, middle - 1)),
    value !== null && svg('circle', { class: stateOf(measure), cx: x(value), cy: middle, r: 4 }),
  );
}

/** The line: from the least to the most of all clips, or without what is far out. */
function axisOf({ least, low, high, most }) {
  const isFar = most - least > 3 * (high - low) && high > low;
  const [from, to] = isFar ? [low, high] : [least, most];
  const span = to - from || 1;
  const x = (at) => 4 + (WIDTH - 8) * Math.min(1, Math.max(0, (at - from) / span));
  return { from, to, x };
}

/** The band of what a rule lets pass. */
function passing(rule, { from, to, x }) {
  if (!rule) return null;
  const [left, right] = [x(rule.min ?? from), x(rule.max ?? to)];
  const width = Math.max(1, right - left);
  return svg('rect', { class: 'passes', x: left, y: HEIGHT / 2 - 4, width, height: 8 });
}

const boundsOf = (rule) => [rule?.min ?? null, rule?.max ?? null].filter((bound) => bound !== null);

function told({ value, least, median, most, rule }) {
  const among = `${number(value)} among ${number(least)} to ${number(most)}, median ${number(median)}`;
  if (!rule) return among;
  const bounds = [
    rule.min !== null && `at least ${rule.min}`,
    rule.max !== null && `at most ${rule.max}`,
  ];
  return `${among}; rule: ${bounds.filter(Boolean).join(', ') || 'off'}`;
}

/** The measures of a clip as rows to save. */
export function savedMeasures({ clip_id, measures }) {
  return measures.map(({ name, value, least, low, median, high, most, rule }) => ({
    clip_id,
    measure: name,
    value,
    least,
    low,
    median,
    high,
    most,
    rule_min: rule?.min ?? null,
    rule_max: rule?.max ?? null,
  }));
}
