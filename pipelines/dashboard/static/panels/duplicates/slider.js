// A threshold that can be moved, with the histogram of what it cuts.

import { el, replace } from '../../core/dom.js';
import { count } from '../../core/format.js';
import { histogram } from './histogram.js';

/** The kinds of duplicates, each with the parameter of its threshold. */
export const KINDS = {
  different: { param: 'threshold', title: 'clips of different videos' },
  same: { param: 'same_video_threshold', title: 'clips of one video' },
};

/** The threshold of a kind. Gives `{ node, tell(found) }`; `onChange` takes the changed parameter. */
export function sliderCard(kind, found, asked, onChange) {
  const { param, title } = KINDS[kind];
  const { num, bins } = found.kinds[kind];
  const least = found.settings?.[param] ?? Math.min(...bins.map((bin) => bin.low));
  let freed = found.kinds[kind].num_freed;
  const said = el('output', {});
  const chart = el('div', { class: 'dup-chart' });
  const range = slider(kind, least, Number(asked[param] ?? least), move);
  const show = () => {
    const value = Number(range.value);
    said.textContent = `${value.toFixed(3)}: ${count(freed)} of ${count(num)} no longer near`;
    replace(chart, histogram(bins, value, least, chart.clientWidth || 520));
  };
  function move() {
    show();
    const value = Number(range.value);
    onChange({ [param]: value > least ? value.toFixed(3) : null });
  }
  const reset = () => {
    range.value = least;
    move();
  };
  new ResizeObserver(show).observe(chart);
  return {
    node: el(
      'section',
      { class: 'card', 'aria-label': title },
      head(title, num),
      chart,
      el(
        'div',
        { class: 'row dup-slider' },
        range,
        said,
        el('button', { type: 'button', onclick: reset }, 'recipe’s'),
      ),
    ),
    tell: (fresh) => {
      freed = fresh.kinds[kind].num_freed;
      show();
    },
  };
}

function head(title, num) {
  const what = `${count(num)} ${num === 1 ? 'duplicate' : 'duplicates'}`;
  return el(
    'div',
    { class: 'row' },
    el('h2', {}, title),
    el('span', { class: 'hint' }, `${what}, by how alike to the kept clip`),
  );
}

/** While it is dragged the page is not drawn anew. */
function slider(kind, min, value, onInput) {
  const free = (event) => event.target.classList.remove('busy');
  return el('input', {
    type: 'range',
    min,
    max: 1,
    step: 0.001,
    '.value': value,
    'aria-label': `threshold for ${KINDS[kind].title}`,
    'data-kind': kind,
    oninput: onInput,
    onpointerdown: (event) => event.target.classList.add('busy'),
    onpointerup: free,
    onblur: free,
  });
}
