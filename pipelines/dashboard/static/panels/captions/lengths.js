// How long captions are: a histogram whose bars filter.

import { chartOfLinks } from '../../core/charts.js';
import { el, replace } from '../../core/dom.js';
import { count } from '../../core/format.js';
import { card, hint } from '../../core/parts.js';
import { go, href } from '../../core/state.js';

const { Plot } = globalThis;
const XLINK = 'http://www.w3.org/1999/xlink';

/** The histogram under its title. */
export function lengthCard(state, { lengths }) {
  const place = el('div', { class: 'caption-lengths' });
  const paint = () => replace(place, chart(lengths, state.words, place.clientWidth || 280));
  new ResizeObserver(paint).observe(place);
  place.addEventListener('click', (event) => {
    const link = event.target.closest('a');
    const to = link?.getAttribute('href') ?? link?.getAttributeNS(XLINK, 'href');
    if (!to) return;
    event.preventDefault();
    go(to);
  });
  return card('Length', place, hint('Click a bar for its captions.'));
}

function chart(lengths, picked, width) {
  return chartOfLinks({
    width,
    height: 150,
    marginLeft: 34,
    marginBottom: 32,
    ariaLabel: 'Histogram of the length of captions in words',
    x: { label: 'words →', nice: true },
    y: { label: 'captions', grid: true, ticks: 3, tickFormat: wholeOnly },
    marks: [bars(lengths, picked), Plot.ruleY([0], { stroke: 'var(--faint)' })],
  });
}

const wholeOnly = (value) => (Number.isInteger(value) ? count(value) : '');

function bars(lengths, picked) {
  const isPicked = (row) => String(row.words) === picked;
  return Plot.rectY(lengths, {
    x1: (row) => row.words - 0.5,
    x2: (row) => row.words + 0.5,
    y: 'num',
    fill: (row) => (isPicked(row) ? 'var(--here)' : 'var(--accent)'),
    href: (row) => href({ words: isPicked(row) ? null : row.words, page: null }),
    ariaLabel: (row) => `${row.words} words: ${row.num}`,
    title: (row) => `${row.words} words: ${count(row.num)}`,
  });
}
