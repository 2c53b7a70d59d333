// What a subset costs: CPU time by step, for a kept clip and a kept hour, at a price that is typed.

import { el, replace } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count, duration, hours, number, percent } from '../../core/format.js';
import { figure, hint, table } from '../../core/parts.js';
import { note, panelHref } from '../../core/state.js';
import { card, headed } from '../../core/cards.js';

const DEFAULT_PRICE = '0.04';

/** The costs of a subset; the price is kept in `state` and in the URL. */
export function costsCard(spent, state) {
  const figures = el('div', { class: 'figures' });
  const rows = el('div', {});
  const input = priceInput(state.price ?? DEFAULT_PRICE, (price) => {
    note({ price });
    state.price = price;
    show();
  });
  function show() {
    const typed = Number.parseFloat(input.value);
    const price = Number.isFinite(typed) ? typed : null;
    replace(figures, subsetFigures(spent, price));
    replace(rows, spent.subset && costTable(spent.subset, price));
  }
  show();
  return card(
    headed(
      `What ${spent.subset?.subset ?? 'it'} costs`,
      el('label', {}, 'price of a CPU-hour ', input),
    ),
    figures,
    rows,
    hint(
      'CPU time of the rows that are in the tables. Steps that subsets share count in full, and so do clips that were rejected on the way: there are no kept ones without them. Not in it: rows withdrawn since, the start of workers, GPUs, caption servers, storage.',
    ),
    exports({ name: 'costs', rows: () => csvRows(spent.subset) }),
  );
}

function priceInput(value, onPrice) {
  return el('input', {
    type: 'number',
    min: 0,
    step: 'any',
    value,
    inputmode: 'decimal',
    style: 'width:8em',
    oninput: (event) => onPrice(event.target.value),
  });
}

const totalOf = (cpuHours) => Object.values(cpuHours).reduce((sum, one) => sum + one, 0);
const money = (value) => (value === null || !Number.isFinite(value) ? '–' : number(value));

function subsetFigures({ subset, decoded }, price) {
  const speed = figure(
    'decoding',
    decoded.cpu_hours ? `${number(decoded.hours / decoded.cpu_hours)} ×` : '–',
    'hours of video decoded and measured per CPU-hour',
  );
  if (!subset) return [speed];
  if (!subset.num_kept) {
    const none = 'no clip is kept, so none has a price';
    return [speed, figure('kept', '0', none, { class: 'figure warn' })];
  }
  return [...timeFigures(subset), ...priceFigures(subset, price), speed];
}

function timeFigures({ cpu_hours: cpu, num_kept: num, hours_kept: long }) {
  const total = totalOf(cpu);
  const kept = el('a', { href: panelHref('examples', { verdict: 'kept' }) }, count(num));
  return [
    figure('kept', kept, `clips, ${hours(long)} of video`),
    figure('CPU time', hours(total), 'of all steps up to latents'),
    figure('per kept clip', duration((3600 * total) / num), 'of CPU time'),
    figure('per kept hour', long ? hours(total / long) : '–', 'of CPU time'),
  ];
}

function priceFigures({ cpu_hours: cpu, num_kept: num, hours_kept: long }, price) {
  const cost = price === null ? null : price * totalOf(cpu);
  const rate = `at ${price ?? '–'} per CPU-hour`;
  return [
    figure('1,000 kept clips', money(cost === null ? null : (1000 * cost) / num), rate),
    figure('a kept hour', money(cost === null || !long ? null : cost / long), rate),
  ];
}

function costTable({ cpu_hours: cpu, num_kept: num }, price) {
  const total = totalOf(cpu);
  const columns = [
    { name: 'step', of: ([stage]) => stage },
    { name: 'CPU time', num: true, of: ([, one]) => hours(one) },
    { name: 'share', num: true, of: ([, one]) => (total ? percent(one / total) : '–') },
    {
      name: 'CPU per kept clip',
      num: true,
      of: ([, one]) => (num ? duration((3600 * one) / num) : '–'),
    },
    {
      name: 'price per 1,000 kept',
      num: true,
      of: ([, one]) => money(price === null || !num ? null : (1000 * price * one) / num),
    },
  ];
  return table(columns, Object.entries(cpu), { 'aria-label': 'Cost by step' });
}

function csvRows(subset) {
  return Object.entries(subset?.cpu_hours ?? {}).map(([stage, cpu_hours]) => ({
    subset: subset.subset,
    stage,
    cpu_hours,
    num_kept: subset.num_kept,
    hours_kept: subset.hours_kept,
  }));
}
