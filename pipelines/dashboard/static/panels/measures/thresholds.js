// The thresholds as they are being moved, and everything that follows them.

import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { count, hours, words } from '../../core/format.js';
import { errorBox, hint } from '../../core/parts.js';
import { note } from '../../core/state.js';
import { Histogram } from './histogram.js';
import { whatIfFigures } from './figures.js';
import { firstReasons } from './reasons.js';
import { thresholdClips } from './strip.js';
import { actions } from './redecide.js';
import { withRule } from './rules.js';

const SETTLE_MS = 120;

/** The rules of a subset with changes, a histogram for each measure, and what they would keep. */
export class Thresholds {
  constructor({ subset, measures, others, wanted, signal }) {
    Object.assign(this, { subset, others, signal, list: [...wanted.rule], turn: 0, timer: 0 });
    this.isOpen = wanted.more === '1';
    this.summary = el('div', { class: 'figures', id: 'summary', 'aria-live': 'polite' });
    this.reasons = el('div', { class: 'card' });
    this.strip = el('div', { class: 'card strip' });
    this.charts = measures.map((measure) => new Histogram(measure, subset, this, signal));
    this.active =
      this.charts.find((chart) => chart.measure.name === wanted.measure) ?? this.charts[0];
  }

  contents() {
    const ruled = this.charts.filter((chart) => chart.measure.rule);
    const free = this.charts.filter((chart) => !chart.measure.rule);
    const buttons = el('div', { class: 'row', id: 'actions' }, actions(this));
    return [
      el('div', { class: 'whatif' }, this.summary, buttons),
      legend(),
      histograms(ruled),
      furtherRules(this.others),
      el('div', { class: 'columns' }, this.reasons, this.strip),
      el(
        'details',
        {
          open: this.isOpen,
          ontoggle: (event) => note({ more: event.target.open ? '1' : null }),
        },
        el('summary', {}, `${free.length} measures without a rule`),
        histograms(free),
      ),
    ];
  }

  /** Draws each histogram once it comes into sight, and asks what the thresholds keep. */
  async start() {
    const load = ({ target }) => {
      this.seen.unobserve(target);
      const chart = this.charts.find((one) => one.element === target);
      this.guarded(() => chart.load());
    };
    this.seen = new IntersectionObserver(
      (entries) => entries.filter((entry) => entry.isIntersecting).forEach(load),
      { rootMargin: '200px' },
    );
    for (const chart of this.charts) this.seen.observe(chart.element);
    await this.refresh();
  }

  leave() {
    this.seen.disconnect();
    clearTimeout(this.timer);
  }

  rules() {
    return this.list;
  }

  set(measure, bounds) {
    this.list = withRule(this.list, measure, bounds);
  }

  /** While a handle moves: the page's own count is shown at once, the server's when it rests. */
  moving({ num, hours: long, unknown }) {
    const shown = this.summary.querySelector('[data-figure="after"] strong');
    if (shown) shown.textContent = unknown ? `${count(num)}–${count(num + unknown)}` : count(num);
    const told = this.summary.querySelector('[data-figure="after"] .note');
    if (told) told.textContent = hours(long);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.guarded(() => this.refresh()), SETTLE_MS);
  }

  /** A handle was let go: the URL has it, and the other histograms follow. */
  settled(chart) {
    this.active = chart;
    note({ rule: this.list, measure: chart.measure.name, subset: this.subset });
    clearTimeout(this.timer);
    this.guarded(async () => {
      await this.refresh();
      await Promise.all(this.charts.filter((one) => one.data).map((one) => one.load()));
    });
  }

  /** Puts all rules back to how the subset was decided. */
  reset() {
    this.list = [];
    for (const chart of this.charts) chart.place();
    this.settled(this.active);
  }

  /** Asks what the thresholds keep; an answer that a later one has overtaken is dropped. */
  async refresh() {
    const turn = (this.turn += 1);
    const { subset, signal } = this;
    const found = await ask('what-if', { subset, rule: this.list }, signal);
    if (turn !== this.turn) return;
    const { measure } = this.active;
    replace(this.summary, whatIfFigures(found, this.list, measure));
    replace(this.reasons, firstReasons(found.reasons, this.list));
    const strip = await thresholdClips(subset, this.list, measure, signal);
    if (turn === this.turn) replace(this.strip, strip);
  }

  async guarded(action) {
    try {
      await action();
    } catch (error) {
      if (error.name === 'AbortError' || this.signal.aborted) return;
      replace(this.summary, errorBox(error));
    }
  }
}

const histograms = (charts) =>
  el(
    'div',
    { class: 'histograms' },
    charts.map((chart) => chart.element),
  );

function legend() {
  const key = (band) => el('i', { class: band });
  return el(
    'p',
    { class: 'legend' },
    key('kept'),
    'passes all rules ',
    key('here'),
    'rejected by this rule first ',
    key('elsewhere'),
    'rejected by another (heights by the square root). Drag a handle, or focus it and use the arrow keys; Delete takes it away.',
  );
}

function furtherRules(others) {
  const texts = Object.entries(others).map(([name, text]) => `${words(name)} ${text}`);
  return texts.length > 0 && hint('Further rules: ', texts.join('; '));
}
