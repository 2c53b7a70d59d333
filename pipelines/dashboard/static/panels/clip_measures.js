// The measures of one clip: each with where it lies among all clips, and its thresholds.

import { el, svg } from '../core/dom.js';
import { number, words } from '../core/format.js';
import { panelHref } from '../core/state.js';

const WIDTH = 150;
const HEIGHT = 18;

/** All measures: those that a rule bounds first. */
export function measureList(measures) {
  const ruled = measures.filter((one) => one.rule);
  const free = measures.filter((one) => !one.rule);
  const list = (rows) => el('dl', { class: 'strips' }, rows.map(row));
  return [
    ruled.length > 0 && el('h3', {}, 'With a rule'), ruled.length > 0 && list(ruled),
    ruled.length > 0 && el('h3', {}, 'Without'), list(free),
    el('p', { class: 'hint' }, 'Each line reaches from the least to the most of all clips, without the outermost 0.5 % where these are far out; the tick is the median, the band is what the rule lets pass.'),
  ];
}

function row(measure) {
  return el('div', { title: measure.doc },
    el('dt', {}, el('a', { href: panelHref('measures', { measure: measure.name }) }, words(measure.name))),
    el('dd', {}, strip(measure), el('span', { class: `num ${stateOf(measure)}` }, number(measure.value))));
}

function stateOf({ value, rule }) {
  if (!rule || value === null) return '';
  const passes = (rule.min === null || value >= Math.fround(rule.min)) && (rule.max === null || value <= Math.fround(rule.max));
  return passes ? 'inside' : 'outside';
}

/** Where the value lies: line, median, what passes, thresholds, and the value as a dot. */
function strip(measure) {
  const { least, low, median, high, most, value, rule } = measure;
  const isFar = most - least > 3 * (high - low) && high > low;
  const [from, to] = isFar ? [low, high] : [least, most];
  const span = to - from || 1;
  const x = (at) => 4 + (WIDTH - 8) * Math.min(1, Math.max(0, (at - from) / span));
  const middle = HEIGHT / 2;
  const bounds = [rule?.min ?? null, rule?.max ?? null];
  const marks = bounds.filter((bound) => bound !== null && bound >= from && bound <= to);
  return svg('svg', { width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': told(measure) },
    rule && svg('rect', { class: 'passes', x: x(bounds[0] ?? from), y: middle - 4, width: Math.max(1, x(bounds[1] ?? to) - x(bounds[0] ?? from)), height: 8 }),
    svg('line', { class: 'axis', x1: 4, x2: WIDTH - 4, y1: middle, y2: middle }),
    svg('line', { class: 'median', x1: x(median), x2: x(median), y1: middle - 4, y2: middle + 4 }),
    marks.map((bound) => svg('line', { class: 'bound', x1: x(bound), x2: x(bound), y1: 1, y2: HEIGHT - 1 })),
    value !== null && svg('circle', { class: stateOf(measure), cx: x(value), cy: middle, r: 4 }));
}

function told({ value, least, median, most, rule }) {
  const bounds = rule ? `; rule: ${[rule.min !== null && `at least ${rule.min}`, rule.max !== null && `at most ${rule.max}`].filter(Boolean).join(', ') || 'off'}` : '';
  return `${number(value)} among ${number(least)} to ${number(most)}, median ${number(median)}${bounds}`;
}
