// A measure's histogram with handles for its thresholds. Bars stay where they are while one drags.

import { ask, askArrays } from '../core/api.js';
import { el, replace, svg } from '../core/dom.js';
import { count, hours, number, words } from '../core/format.js';
import { exports } from '../core/parts.js';
import { panelHref } from '../core/state.js';
import { between, boundsOf } from './rules.js';

const { Plot, d3 } = globalThis;
const HEIGHT = 150;
const BANDS = [['kept', 'var(--kept)'], ['here', 'var(--here)'], ['elsewhere', 'var(--waiting)']];

/** The parts of a bin's bar. Heights go by the root, or the few clips at a threshold would not show. */
export function stacked(bin) {
  const whole = bin.kept + bin.here + bin.elsewhere;
  let low = 0;
  return BANDS.filter(([band]) => bin[band]).map(([band, fill]) => {
    const high = low + (Math.sqrt(whole) * bin[band]) / whole;
    const bar = { ...bin, band, fill, num: bin[band], low, high };
    low = high;
    return bar;
  });
}

/** Round numbers of clips, as their roots. */
export function rootTicks(bars) {
  const most = d3.max(bars, (bar) => bar.high) ?? 1;
  return [...new Set([1, 0.44, 0.1].map((share) => Math.max(1, Number((share * most * most).toPrecision(1)))))].map(Math.sqrt).filter((root) => root <= most).concat(0);
}

/** One card. `host` gives `rules()`, `set(measure, bounds)`, `moving(counts)` and `settled()`. */
export class Histogram {
  constructor(measure, subset, host, signal) {
    Object.assign(this, { measure, subset, host, signal, data: null, values: null, valuesFor: null });
    this.chart = el('div', { class: 'chart' });
    this.told = el('output', { class: 'told', 'aria-live': 'off' });
    this.inputs = { min: this.input('min', 'at least'), max: this.input('max', 'at most') };
    this.element = el('section', { class: 'card histogram', 'data-measure': measure.name, 'aria-label': words(measure.name) },
      el('div', { class: 'row' },
        el('h3', { title: measure.doc }, words(measure.name)),
        measure.is_score && el('small', { title: 'a model gave it; clips that rules on measures rejected have none' }, 'score'),
        el('span', { class: 'bounds' }, this.inputs.min, this.inputs.max)),
      el('p', { class: 'doc' }, measure.doc), this.chart, this.told,
      exports({ name: `${measure.name}-${subset}`, rows: () => this.rows(), chart: () => this.plot }));
  }

  get bounds() {
    return boundsOf(this.host.rules(), this.measure);
  }

  input(side, label) {
    const field = el('input', { type: 'number', step: 'any', 'aria-label': `${words(this.measure.name)} ${label}`, placeholder: label,
      onchange: (event) => {
        const text = event.target.value;
        this.host.set(this.measure, { ...this.bounds, [side]: text === '' ? null : Number(text) });
        this.place();
        this.host.settled(this);
      } });
    return field;
  }

  /** Asks for the bins, and draws them. */
  async load() {
    this.data = await ask('histogram', { subset: this.subset, measure: this.measure.name, rule: this.host.rules() }, this.signal);
    this.draw();
  }

  draw() {
    const { edges, missing, num } = this.data;
    const width = Math.max(220, this.chart.clientWidth || 360);
    const bars = this.rows().flatMap(stacked);
    this.plot = Plot.plot({
      width, height: HEIGHT, marginLeft: 40, marginRight: 12, marginTop: 10, marginBottom: 22,
      style: { background: 'none', fontSize: '11px', fontFamily: 'inherit', overflow: 'visible' },
      x: { domain: [edges[0], edges.at(-1)], label: null, ticks: 6 }, y: { label: null, ticks: rootTicks(bars), tickFormat: (root) => d3.format('~s')(root * root), grid: true },
      marks: [Plot.rect(bars, { x1: 'from', x2: 'to', y1: 'low', y2: 'high', fill: 'fill', insetLeft: 0.5, insetRight: 0.5,
        title: (bar) => `${number(bar.from)} to ${number(bar.to)}: ${count(bar.num)} ${bar.band === 'kept' ? 'pass' : bar.band === 'here' ? 'rejected here' : 'rejected by other rules'}` }), Plot.ruleY([0])],
    });
    this.plot.setAttribute('role', 'group');
    this.plot.setAttribute('aria-label', `histogram of ${words(this.measure.name)}`);
    this.scale = this.plot.scale('x');
    this.marks = svg('g', {});
    this.plot.append(this.marks);
    // Whoever moves a handle by keyboard goes on from where it is in the new chart.
    const held = Object.values(this.handles ?? {}).find((handle) => handle === document.activeElement);
    replace(this.chart, this.plot);
    this.place();
    held?.focus({ preventScroll: true });
    this.tell(missing ? `${count(missing)} of ${count(num)} clips were not measured` : '');
  }

  rows() {
    const { edges, kept, here, elsewhere } = this.data ?? { edges: [], kept: [] };
    return kept.map((_, bin) => ({ from: edges[bin], to: edges[bin + 1], kept: kept[bin], here: here[bin], elsewhere: elsewhere[bin] }));
  }

  /** Draws handles and shades where the bounds are now. */
  place() {
    const { min, max } = this.bounds;
    for (const [side, value] of Object.entries({ min, max })) {
      if (document.activeElement !== this.inputs[side]) this.inputs[side].value = value ?? '';
    }
    if (!this.scale) return;
    const [left, right] = this.scale.range;
    const x = { min: min === null ? left : this.at(min), max: max === null ? right : this.at(max) };
    if (!this.handles) this.handles = { min: this.handle('min'), max: this.handle('max') };
    const shade = (from, to) => svg('rect', { class: 'shade', x: from, y: 10, width: Math.max(0, to - from), height: HEIGHT - 32 });
    const focused = Object.keys(this.handles).find((side) => this.handles[side] === document.activeElement);
    this.shades?.remove();
    this.shades = svg('g', {}, min !== null && shade(left, x.min), max !== null && shade(x.max, right));
    this.marks.prepend(this.shades);
    for (const side of ['min', 'max']) {
      const handle = this.handles[side];
      const value = side === 'min' ? min : max;
      handle.setAttribute('transform', `translate(${x[side]},10)`);
      handle.setAttribute('aria-valuenow', value ?? (side === 'min' ? this.scale.domain[0] : this.scale.domain[1]));
      handle.setAttribute('aria-valuetext', value === null ? 'no bound' : number(value));
      handle.classList.toggle('off', value === null);
      if (handle.parentNode !== this.marks) this.marks.append(handle);
    }
    if (focused) this.handles[focused].focus({ preventScroll: true });
  }

  at(value) {
    const [left, right] = this.scale.range;
    return Math.min(right, Math.max(left, this.scale.apply(value)));
  }

  handle(side) {
    const label = `${words(this.measure.name)}, ${side === 'min' ? 'at least' : 'at most'}`;
    const [least, most] = this.scale.domain;
    const handle = svg('g', { class: `handle ${side}`, role: 'slider', tabindex: 0, 'aria-label': label, 'aria-valuemin': least, 'aria-valuemax': most,
      onpointerdown: (event) => this.grab(event, side), onkeydown: (event) => this.key(event, side), onfocus: () => this.prepare() },
    svg('line', { y1: 0, y2: HEIGHT - 32 }), svg('rect', { x: -12, y: -2, width: 24, height: HEIGHT - 26, class: 'grip' }),
    svg('path', { d: side === 'min' ? 'M0,0 h9 l4,6 l-4,6 h-9 z' : 'M0,0 h-9 l-4,6 l4,6 h9 z' }));
    return handle;
  }

  grab(event, side) {
    event.preventDefault();
    const handle = this.handles[side];
    handle.focus({ preventScroll: true });
    handle.setPointerCapture(event.pointerId);
    this.element.classList.add('busy');
    const box = this.plot.getBoundingClientRect();
    const ratio = this.plot.viewBox.baseVal.width / box.width;
    const move = (moved) => this.move(side, this.scale.invert((moved.clientX - box.left) * ratio));
    const end = () => {
      handle.removeEventListener('pointermove', move);
      this.element.classList.remove('busy');
      this.host.settled(this);
    };
    handle.addEventListener('pointermove', move);
    handle.addEventListener('lostpointercapture', end, { once: true });
  }

  key(event, side) {
    const [least, most] = this.scale.domain;
    const step = ((most - least) / 200) * (event.shiftKey ? 10 : 1);
    const now = this.bounds[side] ?? (side === 'min' ? least : most);
    const to = { ArrowLeft: now - step, ArrowDown: now - step, ArrowRight: now + step, ArrowUp: now + step, Home: least, End: most }[event.key];
    if (event.key === 'Delete' || event.key === 'Backspace') this.move(side, null);
    else if (to !== undefined) this.move(side, to);
    else return;
    event.preventDefault();
    clearTimeout(this.timer);
    this.element.classList.add('busy');
    this.timer = setTimeout(() => {
      this.element.classList.remove('busy');
      this.host.settled(this);
    }, 250);
  }

  move(side, value) {
    const [least, most] = this.scale.domain;
    const other = this.bounds[side === 'min' ? 'max' : 'min'];
    let to = value;
    if (to !== null) {
      to = Math.min(most, Math.max(least, to));
      if (other !== null) to = side === 'min' ? Math.min(to, other) : Math.max(to, other);
      // No more digits than the eye can place.
      to = Number(to.toPrecision(4));
      if ((side === 'min' && to <= least) || (side === 'max' && to >= most)) to = value <= least || value >= most ? null : to;
    }
    this.host.set(this.measure, { ...this.bounds, [side]: to });
    this.place();
    this.count();
  }

  /** The values that a drag counts: asked once for each setting of the other rules. */
  async prepare() {
    const key = JSON.stringify(this.host.rules().filter((text) => !text.startsWith(`${this.measure.rule?.name ?? this.measure.name}:`)));
    if (this.valuesFor === key) return;
    this.valuesFor = key;
    this.values = null;
    try {
      this.values = await askArrays('values', { subset: this.subset, measure: this.measure.name, rule: JSON.parse(key) }, this.signal);
      if (this.element.classList.contains('busy')) this.count();
    } catch (error) {
      this.valuesFor = null;
      if (error.name !== 'AbortError') this.tell(error.message);
    }
  }

  count() {
    this.prepare();
    if (!this.values) return;
    const { min, max } = this.bounds;
    const { known, known_hours, unknown, unknown_hours, exempt, exempt_hours, every } = this.values;
    const inside = between(known, known_hours, min, max, every);
    const maybe = between(unknown, unknown_hours, min, max, every);
    // Without a rule, clips that lack the measure pass too: the server counts those.
    const counts = { num: inside.num + exempt, hours: inside.hours + exempt_hours, unknown: maybe.num, isExact: every === 1 };
    this.tell(`${every === 1 ? '' : 'about '}${count(counts.num)} kept, ${hours(counts.hours)}${counts.unknown ? `, and up to ${count(counts.unknown)} that were never scored` : ''}`);
    this.host.moving(counts);
  }

  tell(text) {
    replace(this.told, text, text && !this.element.classList.contains('busy') ? el('span', {}, ' ',
      el('a', { href: panelHref('examples', { measure: this.measure.name, order: 'near' }) }, 'clips near the threshold')) : null);
  }
}
