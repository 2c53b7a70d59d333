// How the map of concepts is drawn: onto a canvas, and as SVG to be saved.

import { el, svg } from '../../core/dom.js';
import { placedLabels } from './labels.js';

const FILL_OPACITY = 0.38;

/**
 * Draws a plane. `marks` are `{ picked: ids, hover: concept or null, path: of a lasso or null }`,
 * `colours` those of `pageColours`.
 */
export function drawMap(context, plane, marks, colours) {
  context.clearRect(0, 0, plane.width, plane.height);
  for (const one of plane.placed) circle(context, plane, one, marks, colours);
  for (const { text, x, y } of placedLabels(context, plane, wanted(plane, marks))) {
    context.lineWidth = 3;
    context.strokeStyle = colours.card;
    context.fillStyle = colours.ink;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  }
  if (marks.path) lassoLine(context, marks.path, colours.here);
}

/** The same as SVG, without what is picked or pointed at. */
export function mapSvg(context, plane, marks, colours) {
  const { width, height } = plane;
  const circles = plane.placed.map((one) => {
    const [cx, cy] = plane.place(one);
    const colour = { fill: colours.accent, 'fill-opacity': FILL_OPACITY, stroke: colours.accent };
    return svg('circle', { cx, cy, r: plane.radiusOf(one), ...colour });
  });
  const names = placedLabels(context, plane, wanted(plane, marks)).map(({ text, x, y }) =>
    svg('text', { x, y, 'font-size': 12, fill: colours.ink }, text),
  );
  return svg('svg', { width, height, viewBox: `0 0 ${width} ${height}` }, circles, names);
}

/** The page's colours as a canvas takes them: a variable by itself may read `light-dark(…)`. */
export function pageColours(node) {
  const probe = el('i', { hidden: true });
  node.parentElement.append(probe);
  const found = Object.fromEntries(
    ['accent', 'here', 'ink', 'faint', 'card'].map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }),
  );
  probe.remove();
  return found;
}

/** The concepts to name: what is pointed at, what is picked, and then the largest first. */
function wanted({ placed }, { picked, hover }) {
  const first = hover ? [hover] : [];
  return [...first, ...placed.filter((one) => picked.has(one.concept_id)), ...placed];
}

function circle(context, plane, one, marks, colours) {
  const [x, y] = plane.place(one);
  const radius = plane.radiusOf(one);
  const isSeen =
    x >= -radius && y >= -radius && x <= plane.width + radius && y <= plane.height + radius;
  if (!isSeen) return;
  const isPicked = marks.picked.has(one.concept_id);
  const isMarked = isPicked || marks.hover === one;
  const colour = isPicked ? colours.here : colours.accent;
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  if (one.before > 0) {
    context.globalAlpha = isMarked ? 0.75 : FILL_OPACITY;
    context.fillStyle = colour;
    context.fill();
  }
  context.globalAlpha = 1;
  context.lineWidth = isMarked ? 2.5 : 1;
  context.strokeStyle = colour;
  context.stroke();
  otherRing(context, plane, one, colours.faint);
}

/** A dashed ring as large as the share of the other state, where that is seen. */
function otherRing(context, plane, one, colour) {
  const share = plane.mix > 0.5 ? one.before : one.after;
  const radius = plane.radius(share);
  if (share <= 0 || Math.abs(radius - plane.radiusOf(one)) <= 1) return;
  const [x, y] = plane.place(one);
  context.beginPath();
  context.setLineDash([3, 3]);
  context.lineWidth = 1;
  context.strokeStyle = colour;
  context.arc(x, y, radius, 0, 7);
  context.stroke();
  context.setLineDash([]);
}

function lassoLine(context, path, colour) {
  context.beginPath();
  path.forEach(([x, y], step) => (step ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  context.globalAlpha = 0.15;
  context.fillStyle = colour;
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = colour;
  context.stroke();
}
