// A measure's histogram with handles for its thresholds. Bars stay where they are while one drags.

import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count, hours, words } from '../../core/format.js';
import { panelHref } from '../../core/state.js';
import { barChart, binRows } from './histogram_bars.js';
import { KeptCount } from './histogram_count.js';
import { Handles } from './histogram_handles.js';
import { boundsOf } from './rules.js';

/** One card. `host` gives `rules()`, `set(measure, bounds)`, `moving(counts)` and `settled()`. */
export class Histogram {
  constructor(measure, subset, host, signal) {
    Object.assign(this, { measure, subset, host, signal, data: null });
    this.handles = new Handles(this);
    this.kept = new KeptCount(measure, subset, signal);
    this.chart = el('div', { class: 'chart' });
    this.told = el('output', { class: 'told', 'aria-live': 'off' });
    this.inputs = { min: this.input('min', 'at least'), max: this.input('max', 'at most') };
    this.element = el(
      'section',
      { class: 'card histogram', 'data-measure': measure.name, 'aria-label': this.label },
      el(
        'div',
        { class: 'row' },
        el('h2', { title: measure.doc }, this.label),
        measure.is_score && scoreMark(),
        el('span', { class: 'bounds' }, this.inputs.min, this.inputs.max),
      ),
      el('p', { class: 'doc' }, measure.doc),
      this.chart,
      this.told,
      exports({
        name: `${measure.name}-${subset}`,
        rows: () => (this.data ? binRows(this.data) : []),
        chart: () => this.plot,
      }),
    );
  }

  get label() {
    return words(this.measure.name);
  }

  get bounds() {
    return boundsOf(this.host.rules(), this.measure);
  }

  input(side, label) {
    return el('input', {
      type: 'number',
      step: 'any',
      'aria-label': `${this.label} ${label}`,
      placeholder: label,
      onchange: (event) => {
        const text = event.target.value;
        this.set(side, text === '' ? null : Number(text));
        this.settle();
      },
    });
  }

  /** Asks for the bins, and draws them. */
  async load() {
    const asked = { subset: this.subset, measure: this.measure.name, rule: this.host.rules() };
    this.data = await ask('histogram', asked, this.signal);
    this.draw();
  }

  draw() {
    const { missing, num, edges } = this.data;
    if (!edges.length) {
      this.tell(num ? `none of ${count(num)} clips has it` : '');
      return;
    }
    // Whoever moves a handle by keyboard goes on from where it is in the new chart.
    const held = this.handles.focused;
    this.plot = barChart(this.data, Math.max(220, this.chart.clientWidth || 360));
    this.plot.setAttribute('role', 'group');
    this.plot.setAttribute('aria-label', `histogram of ${this.label}`);
    this.handles.enter(this.plot);
    replace(this.chart, this.plot);
    this.place();
    if (held) this.handles.focus(held);
    this.tell(missing ? `${count(missing)} of ${count(num)} clips were not measured` : '');
  }

  /** Shows the bounds as they are now. */
  place() {
    for (const [side, input] of Object.entries(this.inputs)) {
      if (document.activeElement !== input) input.value = this.bounds[side] ?? '';
    }
    if (this.plot) this.handles.place();
  }

  set(side, value) {
    this.host.set(this.measure, { ...this.bounds, [side]: value });
    this.place();
  }

  /** A handle moves: what it keeps is counted at once. */
  move(side, value) {
    this.set(side, value);
    this.count();
  }

  /** Whether a handle is held: the panel is not drawn anew meanwhile. */
  busy(isHeld) {
    this.element.classList.toggle('busy', isHeld);
  }

  get isBusy() {
    return this.element.classList.contains('busy');
  }

  /** A bound stays where it is. */
  settle() {
    this.host.settled(this);
  }

  /** Has the values that are counted at hand before a handle moves. */
  async prepare() {
    try {
      const areNew = await this.kept.prepare(this.host.rules());
      if (areNew && this.isBusy) this.count();
    } catch (error) {
      if (error.name !== 'AbortError') this.tell(error.message);
    }
  }

  count() {
    this.prepare();
    const counts = this.kept.within(this.bounds);
    if (!counts) return;
    this.tell(keptText(counts));
    this.host.moving(counts);
  }

  tell(text) {
    const near = { measure: this.measure.name, order: 'near' };
    const link = el('a', { href: panelHref('examples', near) }, 'clips near the threshold');
    replace(this.told, text, text && !this.isBusy ? el('span', {}, ' ', link) : null);
  }
}

function scoreMark() {
  const title = 'a model gave it; clips that rules on measures rejected have none';
  return el('small', { title }, 'score');
}

function keptText({ num, hours: long, unknown, isExact }) {
  const more = unknown ? `, and up to ${count(unknown)} that were never scored` : '';
  return `${isExact ? '' : 'about '}${count(num)} kept, ${hours(long)}${more}`;
}
