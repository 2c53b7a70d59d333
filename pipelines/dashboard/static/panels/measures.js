// Thresholds: histograms with handles, what other thresholds would keep, and the clips behind it.

import { ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { count, hours, words } from '../core/format.js';
import { emptyState, errorBox, figure, tile } from '../core/parts.js';
import { note, panelHref } from '../core/state.js';
import { Histogram } from './histogram.js';
import { actions } from './redecide.js';
import { withRule } from './rules.js';

const SETTLE_MS = 120;
const STRIP = 8;

async function draw(body, { state: wanted, overview, signal }) {
  const subset = wanted.subset;
  if (!subset) {
    replace(body, emptyState('Nothing has been decided yet', 'Thresholds are judged on the clips of a subset, once a run has selected one.',
      `moviola select movie-gen-256p --workspace '${overview.workspace}'`));
    return null;
  }
  const { measures, others } = await ask('measures', { subset, rule: wanted.rule }, signal);
  if (!measures.length) {
    replace(body, emptyState('No clip has been measured yet', 'The decode pass has not handed on a clip.'));
    return null;
  }
  const page = new Page(body, subset, measures, others, wanted, signal);
  await page.start();
  return () => page.leave();
}

class Page {
  constructor(body, subset, measures, others, wanted, signal) {
    Object.assign(this, { body, subset, measures, signal, list: [...wanted.rule], wanted });
    this.summary = el('div', { class: 'figures', id: 'summary', 'aria-live': 'polite' });
    this.reasons = el('div', { class: 'card' });
    this.strip = el('div', { class: 'card strip' });
    this.charts = measures.map((measure) => new Histogram(measure, subset, this, signal));
    const ruled = this.charts.filter((chart) => chart.measure.rule);
    const free = this.charts.filter((chart) => !chart.measure.rule);
    this.more = el('details', { open: wanted.more === '1', ontoggle: (event) => note({ more: event.target.open ? '1' : null }) },
      el('summary', {}, `${free.length} measures without a rule`), el('div', { class: 'histograms' }, free.map((chart) => chart.element)));
    replace(body, el('div', { class: 'whatif' }, this.summary, el('div', { class: 'row', id: 'actions' }, actions(this))),
      el('p', { class: 'legend' }, el('i', { class: 'kept' }), 'passes all rules ', el('i', { class: 'here' }), 'rejected by this rule first ',
        el('i', { class: 'elsewhere' }), 'rejected by another (heights by the square root). Drag a handle, or focus it and use the arrow keys; Delete takes it away.'),
      el('div', { class: 'histograms' }, ruled.map((chart) => chart.element)),
      Object.keys(others).length > 0 && el('p', { class: 'hint' }, 'Further rules: ', Object.entries(others).map(([name, text]) => `${words(name)} ${text}`).join('; ')),
      el('div', { class: 'columns' }, this.reasons, this.strip), this.more);
  }

  async start() {
    this.active = this.charts.find((chart) => chart.measure.name === this.wanted.measure) ?? this.charts[0];
    this.seen = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
      this.seen.unobserve(target);
      const chart = this.charts.find((one) => one.element === target);
      this.guarded(() => chart.load());
    }), { rootMargin: '200px' });
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
  moving(counts) {
    const shown = this.summary.querySelector('[data-figure="after"] strong');
    if (shown) shown.textContent = counts.unknown ? `${count(counts.num)}–${count(counts.num + counts.unknown)}` : count(counts.num);
    const long = this.summary.querySelector('[data-figure="after"] .note');
    if (long) long.textContent = hours(counts.hours);
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

  reset() {
    this.list = [];
    for (const chart of this.charts) chart.place();
    this.settled(this.active);
  }

  async refresh() {
    const asked = (this.asked = (this.asked ?? 0) + 1);
    const found = await ask('what-if', { subset: this.subset, rule: this.list }, this.signal);
    if (asked !== this.asked) return;
    this.found = found;
    this.tell(found);
    await this.drawStrip(asked);
  }

  tell({ before, after, outcomes, known, most, estimate, reasons }) {
    const link = (outcome) => panelHref('examples', { outcome, rule: this.list, measure: this.active.measure.name });
    const changed = this.list.length > 0;
    const range = most > known ? `${count(known)}–${count(most)}` : count(known);
    replace(this.summary,
      figure('kept as decided', count(before.num), hours(before.hours)),
      figure(changed ? 'kept with these thresholds' : 'kept', range, hours(after.hours), { 'data-figure': 'after' }),
      changed && figure('comes back', count(outcomes.gained.num), el('a', { href: link('gained') }, 'look'), { 'data-figure': 'gained' }),
      changed && figure('goes', count(outcomes.lost.num), el('a', { href: link('lost') }, 'look'), { 'data-figure': 'lost' }),
      outcomes.unknown.num > 0 && figure('never scored', count(outcomes.unknown.num), el('a', { href: link('unknown') }, 'look'), { 'data-figure': 'unknown' }),
      most > known && figure('likely kept', estimate ? count(estimate.num) : '?',
        estimate ? `${count(estimate.low)} to ${count(estimate.high)} with 95 %, from ${count(estimate.num_audited)} audited clips`
          : 'no audited clip tells: raise selection.audit_share', { 'data-figure': 'estimate' }),
      changed && el('p', { class: 'hint' }, 'By the rules. Duplicates, retrieval and reviews are judged when it is decided again.'));
    const widest = Math.max(1, ...reasons.flatMap((row) => [row.num, row.num_before]));
    replace(this.reasons, el('h3', {}, 'Rejected first by'), el('ul', { class: 'before-after' }, reasons.map((row) => el('li', { 'data-reason': row.reason },
      el('a', { href: panelHref('examples', behind(row.reason, this.list)) }, row.reason === 'unknown' ? 'never scored' : words(row.reason)),
      el('span', { class: 'bars' }, el('i', { class: 'then', style: `width:${(100 * row.num_before) / widest}%` }), el('i', { class: 'now', style: `width:${(100 * row.num) / widest}%` })),
      el('span', { class: 'num' }, changed && row.num !== row.num_before ? `${count(row.num_before)} → ${count(row.num)}` : count(row.num))))));
  }

  /** Clips that come back and go; with nothing changed, those on both sides of the threshold. */
  async drawStrip(asked) {
    const measure = this.active.measure.name;
    const sets = this.list.length
      ? [['Comes back', { outcome: 'gained' }], ['Goes', { outcome: 'lost' }], ['Never scored', { outcome: 'unknown' }]]
      : [['Kept, nearest to the threshold', { verdict: 'kept' }], ['Rejected, nearest to it', { verdict: 'rejected', reason: this.active.measure.rule?.name }]];
    const found = await Promise.all(sets.map(([, filter]) => ask('clips', { subset: this.subset, rule: this.list, measure, order: 'near', size: STRIP, ...filter }, this.signal)));
    if (asked !== this.asked) return;
    replace(this.strip, el('h3', {}, `By ${words(measure)}`), sets.map(([title, filter], place) => (found[place].num || !this.list.length) && [
      el('p', { class: 'row' }, el('b', {}, title), el('a', { href: panelHref('examples', { ...filter, measure, rule: this.list }) }, `${count(found[place].num)} clips`)),
      el('div', { class: 'tiles small' }, found[place].clips.map((clip) => tile(clip, { measure, subset: this.subset })))]),
    this.list.length > 0 && !found.some((set) => set.num) && el('p', { class: 'hint' }, 'The same clips are kept as before.'));
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

/** The clips of a reason, as the subset was decided; of those never scored, under the changes. */
function behind(reason, rule) {
  if (reason === 'unknown') return { outcome: 'unknown', rule };
  return { verdict: 'rejected', reason: reason === 'bucket' ? null : reason, rule };
}

export default {
  id: 'measures',
  title: 'Thresholds',
  hint: 'What each measure is, where it is cut, and what another threshold would keep.',
  draw,
};
