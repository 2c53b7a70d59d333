// Names on the map of concepts, which keep out of each other's way.

const MOST_LABELS = 200;
const MOST_LETTERS = 32;
const LINE_PX = 15;
const FONT = '12px system-ui, sans-serif';

/**
 * Labels (`text`, `width`, `x` and `y` of the left of their base) for concepts, in the order in
 * which they are wanted; one that finds no free place is left out. Their font stays set.
 */
export function placedLabels(context, plane, wanted) {
  context.font = FONT;
  const found = [];
  for (const one of new Set(wanted)) {
    if (found.length >= MOST_LABELS) break;
    const label = placedLabel(context, plane, one, found);
    if (label) found.push(label);
  }
  return found;
}

function placedLabel(context, plane, one, others) {
  const [x, y] = plane.place(one);
  if (x < 0 || y < 0 || x > plane.width || y > plane.height) return null;
  const text =
    one.name.length > MOST_LETTERS ? `${one.name.slice(0, MOST_LETTERS - 2)}…` : one.name;
  const { width } = context.measureText(text);
  const spots = spotsAround(x, y, plane.radiusOf(one), width);
  const spot = spots.find(
    (at) => isInside(plane, at, width) && !others.some((other) => overlap(at, width, other)),
  );
  return spot ? { text, width, x: spot[0], y: spot[1] } : null;
}

/** Within the circle where it has room; above it, below it, and at its sides. */
function spotsAround(x, y, radius, width) {
  const left = x - width / 2;
  const spots = [
    [left, y - radius - 5],
    [left, y + radius + 14],
    [x + radius + 4, y + 4],
    [x - radius - 4 - width, y + 4],
  ];
  return width < 2 * radius ? [[left, y + 4], ...spots] : spots;
}

const isInside = (plane, [left, base], width) =>
  left > 2 && left + width < plane.width - 2 && base > 12 && base < plane.height - 3;

const overlap = ([left, base], width, other) =>
  left < other.x + other.width + 4 &&
  left + width + 4 > other.x &&
  Math.abs(base - other.y) < LINE_PX;
