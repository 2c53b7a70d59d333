// The map of concepts on a canvas: circles by area, with the name of what is pointed at.

import { el } from '../../core/dom.js';
import { percent } from '../../core/format.js';
import { drawMap, mapSvg, pageColours } from './drawing.js';
import { ConceptPlane } from './plane.js';
import { listen } from './pointer.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const MOVE_MS = 600;

/**
 * A map of `concepts` (`concept_id`, `name`, `x`, `y`, `before` and `after`: shares, 0 to 1).
 * `callbacks`: `open(concept)`, `pick(ids)`, `hover(concept or null)`, `moved({ k, x, y } or null)`.
 * Its element is `node`.
 */
export class ConceptMap {
  constructor(concepts, { phase, picked, view, callbacks }) {
    const plane = new ConceptPlane(concepts, phase, view);
    Object.assign(this, { plane, callbacks, isLasso: false, colours: null, frame: 0 });
    this.marks = { picked: new Set(picked), hover: null, path: null };
    this.canvas = el('canvas', {
      class: 'concept-map',
      tabindex: 0,
      role: 'img',
      'aria-describedby': 'concept-table',
      'aria-label': `Map of ${concepts.length} concepts; the table beside it says the same`,
    });
    this.tip = el('div', { class: 'concept-tip', 'aria-hidden': 'true' });
    this.tip.hidden = true;
    this.node = el('div', { class: 'concept-frame' }, this.canvas, this.tip);
    listen(this.canvas, this);
    new ResizeObserver(() => this.resize()).observe(this.node);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.colours = null;
      this.redraw();
    });
  }

  resize() {
    const { plane, canvas, node } = this;
    plane.width = node.clientWidth;
    plane.height = node.clientHeight;
    const ratio = devicePixelRatio || 1;
    canvas.width = plane.width * ratio;
    canvas.height = plane.height * ratio;
    this.draw();
  }

  draw() {
    this.frame = 0;
    if (!this.plane.width) return;
    this.colours ??= pageColours(this.canvas);
    const ratio = devicePixelRatio || 1;
    const context = this.canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawMap(context, this.plane, this.marks, this.colours);
  }

  redraw() {
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  /** What is drawn, as SVG. */
  svg() {
    return mapSvg(this.canvas.getContext('2d'), this.plane, this.marks, this.colours);
  }

  /** Whether dragging draws a lasso. */
  lasso(isOn) {
    this.isLasso = isOn;
  }

  /** Goes over to the shares of a phase. */
  show(phase) {
    const { plane } = this;
    const from = plane.mix;
    const to = phase === 'after' ? 1 : 0;
    if (calm.matches || document.hidden) {
      plane.mix = to;
      this.redraw();
      return;
    }
    const began = performance.now();
    const step = (now) => {
      const part = Math.min(1, (now - began) / MOVE_MS);
      plane.mix = from + (to - from) * (1 - (1 - part) ** 3);
      this.draw();
      if (part < 1 && this.canvas.isConnected) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  zoom(factor, point) {
    this.plane.zoom(factor, point);
    this.moved(this.plane.view);
  }

  pan(dx, dy) {
    this.plane.pan(dx, dy);
    this.moved(this.plane.view);
  }

  reset() {
    this.plane.reset();
    this.moved(null);
  }

  moved(view) {
    this.callbacks.moved(view);
    this.redraw();
  }

  open(one) {
    this.callbacks.open(one);
  }

  /** Shows others as picked. */
  pick(ids) {
    this.marks.picked = new Set(ids);
    this.redraw();
  }

  /** The same, said to the page. */
  choose(ids) {
    this.pick(ids);
    this.callbacks.pick([...this.marks.picked]);
  }

  hover(one, [x, y] = [0, 0]) {
    const { tip, canvas } = this;
    if (one !== this.marks.hover) {
      this.marks.hover = one;
      canvas.style.cursor = one ? 'pointer' : '';
      this.callbacks.hover(one);
      this.redraw();
    }
    tip.hidden = !one;
    if (!one) return;
    tip.textContent = `${one.name}: ${percent(one.before)} → ${percent(one.after)}`;
    tip.style.left = `${Math.min(x + 14, this.plane.width - tip.offsetWidth - 4)}px`;
    tip.style.top = `${y + 16}px`;
  }
}
