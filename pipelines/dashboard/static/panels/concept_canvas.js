// The map of concepts on a canvas: circles by area, labels that keep out of each other's way.

import { el, svg } from '../core/dom.js';
import { percent } from '../core/format.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const MOVE_MS = 600;
const PAD_PX = 56;
const FILLED = 0.32;
const MOST_LABELS = 200;
const FONT = '12px system-ui, sans-serif';

/**
 * A map of `concepts` (`concept_id`, `name`, `x`, `y`, `before` and `after`: shares, 0 to 1).
 * `callbacks`: `open(concept)`, `pick(ids)`, `hover(concept or null)`, `moved({ k, x, y })`.
 * Gives `{ node, show(phase), pick(ids), lasso(isOn), zoom(factor), pan(dx, dy), reset(), svg() }`.
 */
export function conceptCanvas(concepts, { phase, picked, view, callbacks }) {
  const canvas = el('canvas', { class: 'concept-map', tabindex: 0, role: 'img', 'aria-describedby': 'concept-table',
    'aria-label': `Map of ${concepts.length} concepts; the table beside it says the same` });
  // Large ones lie below small ones, so that all can be reached.
  const largest = (one) => Math.max(one.before, one.after);
  const placed = concepts.toSorted((a, b) => largest(b) - largest(a));
  const at = { view: view ?? { k: 1, x: 0, y: 0 }, mix: phase === 'after' ? 1 : 0, picked: new Set(picked), hover: null, path: null, isLasso: false, width: 0, height: 0 };
  let colours = null;
  let frame = 0;

  const box = bounds(placed);
  const most = Math.sqrt(Math.max(...placed.map(largest), 1e-9));
  const scale = () => {
    const pad = Math.max(PAD_PX, most * whole() + 8);
    return Math.max(1, Math.min((at.width - 2 * pad) / box.width, (at.height - 2 * pad) / box.height));
  };
  const place = (one) => {
    const s = scale() * at.view.k;
    return [at.width / 2 + at.view.x + (one.x - box.x) * s, at.height / 2 + at.view.y - (one.y - box.y) * s];
  };
  /** Radius of a share of 1, in px, before zooming. */
  const whole = () => {
    const side = Math.min(at.width, at.height) - PAD_PX;
    return Math.min(Math.sqrt(FILLED / Math.PI) * side, side / 6 / most);
  };
  const unit = () => whole() * Math.sqrt(at.view.k);
  const radius = (share) => (share > 0 ? Math.max(2.5, unit() * Math.sqrt(share)) : 2);
  const shareOf = (one) => one.before + (one.after - one.before) * at.mix;

  function draw() {
    frame = 0;
    if (!at.width) return;
    colours ??= resolved(canvas);
    const ratio = devicePixelRatio || 1;
    const context = canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, at.width, at.height);
    for (const one of placed) circle(context, one);
    context.font = FONT;
    for (const label of labels(context)) {
      context.lineWidth = 3;
      context.strokeStyle = colours.card;
      context.fillStyle = colours.ink;
      context.strokeText(label.text, label.x, label.y);
      context.fillText(label.text, label.x, label.y);
    }
    if (at.path) lassoLine(context);
  }

  function circle(context, one) {
    const [x, y] = place(one);
    const r = radius(shareOf(one));
    if (x < -r || y < -r || x > at.width + r || y > at.height + r) return;
    const isPicked = at.picked.has(one.concept_id);
    context.beginPath();
    context.arc(x, y, r, 0, 7);
    if (one.before > 0) {
      context.globalAlpha = isPicked || at.hover === one ? 0.75 : 0.38;
      context.fillStyle = isPicked ? colours.here : colours.accent;
      context.fill();
    }
    context.globalAlpha = 1;
    context.lineWidth = isPicked || at.hover === one ? 2.5 : 1;
    context.strokeStyle = isPicked ? colours.here : colours.accent;
    context.stroke();
    const was = at.mix > 0.5 ? one.before : one.after;
    if (was > 0 && Math.abs(radius(was) - r) > 1) {
      context.beginPath();
      context.setLineDash([3, 3]);
      context.lineWidth = 1;
      context.strokeStyle = colours.faint;
      context.arc(x, y, radius(was), 0, 7);
      context.stroke();
      context.setLineDash([]);
    }
  }

  /** Names of the largest first; one that finds no free place is left out. */
  function labels(context) {
    const taken = [];
    const found = [];
    const wanted = [at.hover, ...placed.filter((one) => at.picked.has(one.concept_id)), ...placed].filter(Boolean);
    for (const one of new Set(wanted)) {
      if (found.length >= MOST_LABELS) break;
      const [x, y] = place(one);
      if (x < 0 || y < 0 || x > at.width || y > at.height) continue;
      const text = one.name.length > 32 ? `${one.name.slice(0, 30)}…` : one.name;
      const width = context.measureText(text).width;
      const r = radius(shareOf(one));
      const places = [[x - width / 2, y + 4], [x - width / 2, y - r - 5], [x - width / 2, y + r + 14], [x + r + 4, y + 4], [x - r - 4 - width, y + 4]];
      const spot = (width < 2 * r ? places : places.slice(1)).find(([left, base]) => left > 2 && left + width < at.width - 2 && base > 12 && base < at.height - 3
        && !taken.some((other) => left < other.x + other.width + 4 && left + width + 4 > other.x && Math.abs(base - other.y) < 15));
      if (!spot) continue;
      const label = { text, width, x: spot[0], y: spot[1] };
      taken.push(label);
      found.push(label);
    }
    return found;
  }

  function lassoLine(context) {
    context.beginPath();
    at.path.forEach(([x, y], step) => (step ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
    context.globalAlpha = 0.15;
    context.fillStyle = colours.here;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = colours.here;
    context.stroke();
  }

  const redraw = () => { frame ||= requestAnimationFrame(draw); };

  function zoom(factor, [x, y] = [at.width / 2, at.height / 2]) {
    const k = Math.min(64, Math.max(0.5, at.view.k * factor));
    const ratio = k / at.view.k;
    at.view = { k, x: x - at.width / 2 - (x - at.width / 2 - at.view.x) * ratio, y: y - at.height / 2 - (y - at.height / 2 - at.view.y) * ratio };
    callbacks.moved(at.view);
    redraw();
  }

  function pan(dx, dy) {
    at.view = { ...at.view, x: at.view.x + dx, y: at.view.y + dy };
    callbacks.moved(at.view);
    redraw();
  }

  function reset() {
    at.view = { k: 1, x: 0, y: 0 };
    callbacks.moved(null);
    redraw();
  }

  function show(next) {
    const from = at.mix;
    const to = next === 'after' ? 1 : 0;
    if (calm.matches || document.hidden) {
      at.mix = to;
      redraw();
      return;
    }
    const began = performance.now();
    const step = (now) => {
      const part = Math.min(1, (now - began) / MOVE_MS);
      at.mix = from + (to - from) * (1 - (1 - part) ** 3);
      draw();
      if (part < 1 && canvas.isConnected) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  /** The smallest circle under a point. */
  function hit([x, y]) {
    let best = null;
    for (const one of placed) {
      const [cx, cy] = place(one);
      if (Math.hypot(x - cx, y - cy) <= Math.max(6, radius(shareOf(one)))) best = one;
    }
    return best;
  }

  function pick(ids) {
    at.picked = new Set(ids);
    redraw();
  }

  function picks(ids) {
    pick(ids);
    callbacks.pick([...at.picked]);
  }

  const tip = el('div', { class: 'concept-tip', 'aria-hidden': 'true' });
  function hover(one, [x, y] = [0, 0]) {
    if (one !== at.hover) {
      at.hover = one;
      canvas.style.cursor = one ? 'pointer' : '';
      callbacks.hover(one);
      redraw();
    }
    tip.hidden = !one;
    if (!one) return;
    tip.textContent = `${one.name}: ${percent(one.before)} → ${percent(one.after)}`;
    tip.style.left = `${Math.min(x + 14, at.width - tip.offsetWidth - 4)}px`;
    tip.style.top = `${y + 16}px`;
  }

  listen(canvas, { at, hit, pan, zoom, reset, hover, picks, redraw, place, placed, open: callbacks.open });
  const node = el('div', { class: 'concept-frame' }, canvas, tip);
  tip.hidden = true;
  new ResizeObserver(() => {
    at.width = node.clientWidth;
    at.height = node.clientHeight;
    const ratio = devicePixelRatio || 1;
    canvas.width = at.width * ratio;
    canvas.height = at.height * ratio;
    draw();
  }).observe(node);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { colours = null; redraw(); });

  return { node, show, pick, zoom, pan, reset, lasso: (isOn) => { at.isLasso = isOn; }, svg: () => {
    const context = canvas.getContext('2d');
    context.font = FONT;
    return svg('svg', { width: at.width, height: at.height, viewBox: `0 0 ${at.width} ${at.height}` },
      placed.map((one) => {
        const [cx, cy] = place(one);
        return svg('circle', { cx, cy, r: radius(shareOf(one)), fill: colours.accent, 'fill-opacity': 0.38, stroke: colours.accent });
      }),
      labels(context).map(({ text, x, y }) => svg('text', { x, y, 'font-size': 12, fill: colours.ink }, text)));
  } };
}

/** Pointer, wheel and keys. Dragging moves the map, or draws a lasso in that mode or with shift. */
function listen(canvas, { at, hit, pan, zoom, reset, hover, picks, redraw, place, placed, open }) {
  const point = (event) => {
    const { left, top } = canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  let from = null;
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button) return;
    from = { start: point(event), last: point(event), isLasso: at.isLasso || event.shiftKey, moved: 0 };
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add('busy');
    if (from.isLasso) at.path = [from.start];
  });
  canvas.addEventListener('pointermove', (event) => {
    const now = point(event);
    if (!from) {
      hover(hit(now), now);
      return;
    }
    from.moved += Math.hypot(now[0] - from.last[0], now[1] - from.last[1]);
    if (from.isLasso) {
      at.path.push(now);
      redraw();
    } else pan(now[0] - from.last[0], now[1] - from.last[1]);
    from.last = now;
  });
  canvas.addEventListener('pointerup', (event) => {
    if (!from) return;
    const { isLasso, moved, start } = from;
    const one = hit(start);
    const path = at.path;
    end();
    if (isLasso && moved > 6) {
      const inside = placed.filter((other) => globalThis.d3.polygonContains(path, place(other)));
      const ids = inside.map((other) => other.concept_id);
      picks(event.shiftKey ? [...at.picked, ...ids] : ids);
    } else if (moved <= 6 && one && isLasso) {
      const { concept_id: id } = one;
      picks(at.picked.has(id) ? [...at.picked].filter((other) => other !== id) : [...at.picked, id]);
    } else if (moved <= 6 && one) open(one);
  });
  const end = () => {
    from = null;
    at.path = null;
    canvas.classList.remove('busy');
    redraw();
  };
  canvas.addEventListener('pointercancel', end);
  canvas.addEventListener('pointerleave', () => from || hover(null));
  canvas.addEventListener('wheel', (event) => {
    // A page that cannot be scrolled past its map is a trap: the map zooms once it has the focus.
    if (document.activeElement !== canvas && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 200), point(event));
  }, { passive: false });
  canvas.addEventListener('keydown', (event) => {
    const keys = { '+': () => zoom(1.3), '=': () => zoom(1.3), '-': () => zoom(1 / 1.3), 0: reset,
      ArrowLeft: () => pan(40, 0), ArrowRight: () => pan(-40, 0), ArrowUp: () => pan(0, 40), ArrowDown: () => pan(0, -40), Escape: () => picks([]) };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
}

/** The middle and the extent of all places, never empty. */
function bounds(concepts) {
  const span = (values) => [Math.min(...values), Math.max(...values)];
  const [left, right] = span(concepts.map((one) => one.x));
  const [low, high] = span(concepts.map((one) => one.y));
  return { x: (left + right) / 2, y: (low + high) / 2, width: Math.max(0.5, right - left), height: Math.max(0.5, high - low) };
}

/** The page's colours as a canvas takes them: a variable by itself may read `light-dark(…)`. */
function resolved(node) {
  const probe = el('i', { hidden: true });
  node.parentElement.append(probe);
  const found = Object.fromEntries(['accent', 'here', 'ink', 'faint', 'card'].map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  }));
  probe.remove();
  return found;
}
