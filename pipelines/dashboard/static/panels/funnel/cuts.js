// Where each rule cuts, small, beside the funnel; the thresholds' own panel is a click away.

import { chart } from '../../core/charts.js';
import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { words } from '../../core/format.js';
import { panelHref } from '../../core/state.js';
import { binRows, stacked } from '../measures/histogram_bars.js';

const { Plot } = globalThis;

/** Asks for the histograms of all measures with a rule, and draws them. */
export async function drawCuts(place, subset, signal) {
  const { measures } = await ask('measures', { subset }, signal);
  const ruled = measures.filter((measure) => measure.rule);
  const found = await Promise.all(
    ruled.map((measure) => ask('histogram', { subset, measure: measure.name }, signal)),
  );
  replace(
    place,
    ruled.map((measure, index) => cut(measure, found[index])),
  );
}

function cut({ name, rule }, bins) {
  return el(
    'a',
    { class: 'card cut', href: panelHref('measures', { measure: name }) },
    el('span', { class: 'row' }, el('b', {}, words(name)), el('small', {}, said(rule))),
    miniature(bins, rule),
  );
}

function said({ min, max }) {
  if (min !== null && max !== null) return `${min} to ${max}`;
  if (min !== null) return `at least ${min}`;
  return max !== null ? `at most ${max}` : 'off';
}

function miniature(bins, { min, max }) {
  const [least, most] = [bins.edges[0], bins.edges.at(-1)];
  const bounds = [min, max].filter((bound) => bound !== null && bound >= least && bound <= most);
  const place = { x1: 'from', x2: 'to', y1: 'low', y2: 'high' };
  return chart({
    width: 220,
    height: 46,
    margin: 1,
    axis: null,
    x: { domain: [least, most] },
    marks: [
      Plot.rect(binRows(bins).flatMap(stacked), { ...place, fill: 'fill', insetRight: 0.5 }),
      Plot.ruleX(bounds, { stroke: 'var(--accent)', strokeWidth: 2 }),
    ],
  });
}
