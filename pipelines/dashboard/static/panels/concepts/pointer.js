// The pointer, the wheel and the keys on the map of concepts.

/** Px that a click may move. */
const CLICK_PX = 6;
const MOST_WHEEL = 60;

/**
 * Listens on the canvas of a map. Dragging moves the map, or draws a lasso in that mode or with
 * shift; a click opens a concept, or picks it where a drag would draw a lasso.
 */
export function listen(canvas, map) {
  drags(canvas, map);
  wheels(canvas, map);
  keys(canvas, map);
}

function drags(canvas, map) {
  const { marks, plane } = map;
  let from = null;
  const end = () => {
    from = null;
    marks.path = null;
    canvas.classList.remove('busy');
    map.redraw();
  };
  const start = (event) => {
    if (event.button) return;
    const point = pointOf(canvas, event);
    from = { start: point, last: point, isLasso: map.isLasso || event.shiftKey, moved: 0 };
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add('busy');
    if (from.isLasso) marks.path = [point];
  };
  const move = (event) => {
    const now = pointOf(canvas, event);
    if (!from) {
      map.hover(plane.hit(now), now);
      return;
    }
    const [dx, dy] = [now[0] - from.last[0], now[1] - from.last[1]];
    from.moved += Math.hypot(dx, dy);
    from.last = now;
    if (from.isLasso) {
      marks.path.push(now);
      map.redraw();
    } else map.pan(dx, dy);
  };
  const leave = (event) => {
    if (!from) return;
    const { path } = marks;
    const { start: point, isLasso, moved } = from;
    end();
    if (moved <= CLICK_PX) clicked(map, plane.hit(point), isLasso);
    else if (isLasso) lassoed(map, path, event.shiftKey);
  };
  canvas.addEventListener('pointerdown', start);
  canvas.addEventListener('pointermove', move);
  canvas.addEventListener('pointerup', leave);
  canvas.addEventListener('pointercancel', end);
  canvas.addEventListener('pointerleave', () => from || map.hover(null));
}

function pointOf(canvas, event) {
  const { left, top } = canvas.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top];
}

function clicked(map, one, isLasso) {
  if (!one) return;
  if (!isLasso) {
    map.open(one);
    return;
  }
  const { picked } = map.marks;
  const { concept_id: id } = one;
  map.choose(picked.has(id) ? [...picked].filter((other) => other !== id) : [...picked, id]);
}

function lassoed(map, path, isAdded) {
  const { placed } = map.plane;
  const inside = placed.filter((one) => globalThis.d3.polygonContains(path, map.plane.place(one)));
  const ids = inside.map((one) => one.concept_id);
  map.choose(isAdded ? [...map.marks.picked, ...ids] : ids);
}

function wheels(canvas, map) {
  const turn = (event) => {
    // A page that cannot be scrolled past its map is a trap: the map zooms once it has the focus.
    if (document.activeElement !== canvas && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const turned = Math.max(-MOST_WHEEL, Math.min(MOST_WHEEL, event.deltaY));
    map.zoom(Math.exp(-turned / 200), pointOf(canvas, event));
  };
  canvas.addEventListener('wheel', turn, { passive: false });
}

function keys(canvas, map) {
  const actions = {
    '+': () => map.zoom(1.3),
    '=': () => map.zoom(1.3),
    '-': () => map.zoom(1 / 1.3),
    0: () => map.reset(),
    ArrowLeft: () => map.pan(40, 0),
    ArrowRight: () => map.pan(-40, 0),
    ArrowUp: () => map.pan(0, 40),
    ArrowDown: () => map.pan(0, -40),
    Escape: () => map.choose([]),
  };
  canvas.addEventListener('keydown', (event) => {
    if (!actions[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[event.key]();
  });
}
