// The handles of a histogram: a bound on either side, moved by pointer and by keyboard.

import { svg } from '../../core/dom.js';
import { number } from '../../core/format.js';
import { BOTTOM, HEIGHT, TOP } from './histogram_bars.js';

const SIDES = ['min', 'max'];
const REST_MS = 250;
const TALL = HEIGHT - TOP - BOTTOM;
const ARROWS = { min: 'M0,0 h9 l4,6 l-4,6 h-9 z', max: 'M0,0 h-9 l-4,6 l4,6 h9 z' };

/**
 * Both handles, and shades over what they cut off. `card` gives `label` and `bounds`, and is told
 * with `move(side, value)`, `prepare()` when one has the focus, `busy(is)` and `settle()`.
 */
export class Handles {
  constructor(card) {
    this.card = card;
    this.of = null;
    this.timer = 0;
  }

  /** Goes into a new chart, with the next `place`. */
  enter(plot) {
    this.plot = plot;
    this.scale = plot.scale('x');
    this.marks = svg('g', {});
    plot.append(this.marks);
    this.of ??= { min: this.handle('min'), max: this.handle('max') };
  }

  /** The side whose handle has the focus. */
  get focused() {
    return SIDES.find((side) => this.of?.[side] === document.activeElement);
  }

  focus(side) {
    this.of[side].focus({ preventScroll: true });
  }

  handle(side) {
    const [least, most] = this.scale.domain;
    return svg(
      'g',
      {
        class: `handle ${side}`,
        role: 'slider',
        tabindex: 0,
        'aria-label': `${this.card.label}, ${side === 'min' ? 'at least' : 'at most'}`,
        'aria-valuemin': plainly(least),
        'aria-valuemax': plainly(most),
        onpointerdown: (event) => this.grab(event, side),
        onkeydown: (event) => this.key(event, side),
        onfocus: () => this.card.prepare(),
      },
      svg('line', { y1: 0, y2: TALL }),
      svg('rect', { x: -12, y: -2, width: 24, height: TALL + 6, class: 'grip' }),
      svg('path', { d: ARROWS[side] }),
    );
  }

  /** Draws handles and shades where the bounds are now. */
  place() {
    const { focused } = this;
    const [left, right] = this.scale.range;
    const { min, max } = this.card.bounds;
    const x = { min: min === null ? left : this.at(min), max: max === null ? right : this.at(max) };
    this.shades?.remove();
    this.shades = svg(
      'g',
      {},
      min !== null && shade(left, x.min),
      max !== null && shade(x.max, right),
    );
    this.marks.prepend(this.shades);
    this.put('min', min, x.min);
    this.put('max', max, x.max);
    if (focused) this.focus(focused);
  }

  at(value) {
    const [left, right] = this.scale.range;
    return Math.min(right, Math.max(left, this.scale.apply(value)));
  }

  put(side, value, x) {
    const handle = this.of[side];
    const [least, most] = this.scale.domain;
    handle.setAttribute('transform', `translate(${x},${TOP})`);
    const now = Math.min(most, Math.max(least, value ?? (side === 'min' ? least : most)));
    handle.setAttribute('aria-valuenow', plainly(now));
    handle.setAttribute('aria-valuetext', value === null ? 'no bound' : number(value));
    handle.classList.toggle('off', value === null);
    if (handle.parentNode !== this.marks) this.marks.append(handle);
  }

  grab(event, side) {
    event.preventDefault();
    const handle = this.of[side];
    this.focus(side);
    handle.setPointerCapture(event.pointerId);
    this.card.busy(true);
    const box = this.plot.getBoundingClientRect();
    const ratio = this.plot.viewBox.baseVal.width / box.width;
    const move = (moved) => this.move(side, this.scale.invert((moved.clientX - box.left) * ratio));
    const end = () => {
      handle.removeEventListener('pointermove', move);
      this.card.busy(false);
      this.card.settle();
    };
    handle.addEventListener('pointermove', move);
    handle.addEventListener('lostpointercapture', end, { once: true });
  }

  key(event, side) {
    const [least, most] = this.scale.domain;
    const step = ((most - least) / 200) * (event.shiftKey ? 10 : 1);
    const now = this.card.bounds[side] ?? (side === 'min' ? least : most);
    const to = {
      ArrowLeft: now - step,
      ArrowDown: now - step,
      ArrowRight: now + step,
      ArrowUp: now + step,
      Home: least,
      End: most,
      Delete: null,
      Backspace: null,
    }[event.key];
    if (to === undefined) return;
    this.move(side, to);
    event.preventDefault();
    clearTimeout(this.timer);
    this.card.busy(true);
    this.timer = setTimeout(() => {
      this.card.busy(false);
      this.card.settle();
    }, REST_MS);
  }

  /** Moves a bound within the axis and up to the other bound; at the very end it is none. */
  move(side, value) {
    const [least, most] = this.scale.domain;
    const isMin = side === 'min';
    const other = this.card.bounds[isMin ? 'max' : 'min'];
    let to = value;
    if (to !== null) {
      to = Math.min(most, Math.max(least, to));
      if (other !== null) to = isMin ? Math.min(to, other) : Math.max(to, other);
      // No more digits than the eye can place.
      to = Number(to.toPrecision(4));
      const isAtEnd = isMin ? to <= least : to >= most;
      if (isAtEnd && (value <= least || value >= most)) to = null;
    }
    this.card.move(side, to);
  }
}

/** A number as ARIA has it, without an exponent. */
const plainly = (value) => value.toFixed(12).replace(/\.?0+$/, '');

function shade(from, to) {
  const width = Math.max(0, to - from);
  return svg('rect', { class: 'shade', x: from, y: TOP, width, height: TALL });
}
