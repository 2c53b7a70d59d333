'use strict';

// The histograms of a report: their handles, and what is kept between them.

const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5 };

// What a threshold keeps is counted on bins: `at` edges and `between` them, for clips that pass
// all other rules. See pipelines/report/what_if.py, which counts the same. A count is
// `[clips, seconds]`.

function within([at, between, atS, betweenS], low, high) {
  let clips = 0;
  let seconds = 0;
  for (let edge = low; edge <= high; edge += 1) {
    clips += at[edge];
    seconds += atS[edge];
    if (edge < high) {
      clips += between[edge];
      seconds += betweenS[edge];
    }
  }
  return [clips, seconds];
}

function added(...counts) {
  return counts.reduce((sum, count) => [sum[0] + count[0], sum[1] + count[1]], [0, 0]);
}

/** What two edges keep: a range where that depends on what nobody has looked at. */
function keptWithin(counts, low, high) {
  const none = [0, 0];
  const isOff = low === 0 && high === counts.edges.length - 1;
  const of = (kind) =>
    added(
      within(counts.bins[kind], low, high),
      counts.always[kind],
      isOff ? counts.missing[kind] : none,
    );
  const isTighter = low > counts.bounds[0] || high < counts.bounds[1];
  const isChanged = low !== counts.bounds[0] || high !== counts.bounds[1];
  const known = of('kept');
  const most = added(
    known,
    of('open'),
    counts.unmeasured,
    isChanged ? of('twin') : none,
    isTighter ? of('gone') : none,
  );
  return { low: known[0], high: most[0], lowS: known[1], highS: most[1] };
}

function number(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

function length(seconds) {
  if (seconds >= 3600) return `${(seconds / 3600).toFixed(2)} h`;
  return seconds >= 60 ? `${(seconds / 60).toFixed(1)} min` : `${seconds.toFixed(1)} s`;
}

function keptText({ low, high, lowS, highS }, clips) {
  const range = (one, other) => (one === other ? one : `${one} to ${other}`);
  const num = range(number(low), number(high));
  const long = low === high ? length(lowS) : range(length(lowS), length(highS));
  return `${num} of ${number(clips)} ${clips === 1 ? 'clip' : 'clips'} kept, ${long}`;
}

function edgeText(value) {
  return String(Number(value.toPrecision(7)));
}

/** A figure whose handles stand on edges; `bounds` are the edges where they stand. */
class WhatIf {
  constructor(figure) {
    this.figure = figure;
    this.counts = JSON.parse(figure.dataset.counts);
    this.last = this.counts.edges.length - 1;
    this.plot = figure.querySelector('.plot');
    this.handles = [...figure.querySelectorAll('.handle')];
    this.output = figure.querySelector('output');
    this.change = figure.querySelector('.change');
  }

  /** Makes the figure one that can be moved. */
  start() {
    this.handles.forEach((handle, side) => {
      handle.hidden = false;
      handle.addEventListener('keydown', (event) => this.onKey(event, side));
    });
    this.plot.addEventListener('pointerdown', (event) => this.onPress(event));
    this.change.querySelector('button').addEventListener('click', () => this.reset());
    this.reset();
  }

  reset() {
    this.bounds = [...this.counts.bounds];
    this.show();
  }

  edgeAt(event) {
    const box = this.plot.getBoundingClientRect();
    const place = (event.clientX - box.left) / box.width;
    const gaps = this.counts.places.map((other) => Math.abs(other - place));
    return gaps.indexOf(Math.min(...gaps));
  }

  /** Moves the handle that is pressed; beside both, the nearer one. */
  onPress(event) {
    if (event.button !== 0) return;
    const gaps = this.bounds.map((bound) => Math.abs(bound - this.edgeAt(event)));
    const pressed = this.handles.indexOf(event.target.closest('.handle'));
    const side = pressed >= 0 ? pressed : Number(gaps[1] < gaps[0]);
    const move = (moved) => this.set(side, this.edgeAt(moved));
    this.plot.setPointerCapture(event.pointerId);
    this.plot.addEventListener('pointermove', move);
    const end = () => this.plot.removeEventListener('pointermove', move);
    this.plot.addEventListener('lostpointercapture', end, { once: true });
    this.handles[side].focus();
    if (pressed < 0) move(event);
    event.preventDefault();
  }

  onKey(event, side) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const ends = { Home: 0, End: this.last };
    if (event.key in KEYS) this.set(side, this.bounds[side] + KEYS[event.key]);
    else if (event.key in ends) this.set(side, ends[event.key]);
    else return;
    event.preventDefault();
  }

  set(side, edge) {
    const [low, high] = side === 0 ? [0, this.bounds[1]] : [this.bounds[0], this.last];
    this.bounds[side] = Math.max(low, Math.min(high, edge));
    this.show();
  }

  /** The bound as a recipe has it: null at the outermost edge, which stands for none. */
  value(side) {
    const isNone = this.bounds[side] === (side === 0 ? 0 : this.last);
    return isNone ? null : this.counts.edges[this.bounds[side]];
  }

  show() {
    this.handles.forEach((handle, side) => this.showHandle(handle, side));
    this.shade();
    const kept = keptWithin(this.counts, ...this.bounds);
    Object.assign(this.output.dataset, kept);
    this.output.textContent = keptText(kept, Number(this.figure.dataset.clips));
    const isChanged = this.bounds.some((bound, side) => bound !== this.counts.bounds[side]);
    this.figure.classList.toggle('changed', isChanged);
    this.change.hidden = !isChanged;
    this.change.querySelector('code').textContent = this.setting();
  }

  showHandle(handle, side) {
    const { edges, places } = this.counts;
    const bound = this.bounds[side];
    const value = this.value(side);
    const text = value === null ? '' : edgeText(value);
    const said = `${side === 0 ? 'at least' : 'at most'} ${text}`;
    handle.style.left = `${100 * places[bound]}%`;
    handle.classList.toggle('off', value === null);
    handle.dataset.value = text;
    handle.setAttribute('aria-valuenow', edgeText(edges[bound]));
    handle.setAttribute('aria-valuetext', value === null ? 'off' : said);
  }

  /** Fades what lies outside the bounds. */
  shade() {
    const [low, high] = this.bounds.map((bound) => this.counts.places[bound]);
    const left = this.figure.querySelector('.outside.low');
    const right = this.figure.querySelector('.outside.high');
    left.setAttribute('width', 1000 * low);
    right.setAttribute('x', 1000 * high);
    right.setAttribute('width', 1000 * (1 - high));
  }

  /** The option of a command that decides with these bounds. */
  setting() {
    const { subset, name, measure } = this.figure.dataset;
    const [min, max] = [0, 1].map((side) => {
      const value = this.value(side);
      return value === null ? 'null' : edgeText(value);
    });
    const values = [`min: ${min}`, `max: ${max}`];
    if (name !== measure) values.unshift(`measure: ${measure}`);
    return `--set 'subsets.${subset}.rules.${name}={${values.join(', ')}}'`;
  }
}

document.documentElement.classList.add('live');
for (const figure of document.querySelectorAll('.what-if')) new WhatIf(figure).start();
window.addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details')) details.open = true;
});
