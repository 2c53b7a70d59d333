// How the camera moves over a clip: as captioners told it, and as it was measured.

import { chart } from '../../core/charts.js';
import { el } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { number, words } from '../../core/format.js';
import { hint } from '../../core/parts.js';

const { Plot, d3 } = globalThis;

/** Slower than this nobody sees: a camera at rest is drawn as a flat line. */
const STILL = 0.05;

const LINES = [
  { name: 'pan', color: 'var(--accent)', dash: null, border: 'solid' },
  { name: 'tilt', color: 'var(--rejected)', dash: '6 3', border: 'dashed' },
  { name: 'zoom', color: 'var(--unknown)', dash: '2 3', border: 'dotted' },
];

/** What is told of the camera, and its measured path as a chart. */
export function cameraPath(clip, path, width) {
  const told = clip.captions.filter((one) => one.camera).map(toldCamera);
  if (path.length < 2)
    return [told, hint(clip.is_image ? 'An image has none.' : 'Its path was not measured.')];
  const drawn = cameraChart(path, Math.max(260, width));
  return [
    told,
    key(),
    drawn,
    hint(
      'Pan and tilt in frame widths and heights per second, zoom as the natural logarithm of the scale per second.',
    ),
    exports({ name: `camera-${clip.clip_id}`, rows: () => path, chart: () => drawn }),
  ];
}

function toldCamera({ camera, captioner, camera_confidence: confidence }) {
  return el('p', {}, el('b', {}, words(camera)), ` by ${captioner}, ${number(confidence)} sure`);
}

function cameraChart(path, width) {
  const values = path.flatMap((at) => LINES.map(({ name }) => at[name]));
  return chart({
    width,
    height: 170,
    marginLeft: 48,
    marginRight: 40,
    ariaLabel: 'camera motion over the clip',
    x: { label: 'seconds of the clip →' },
    y: {
      label: '↑ per second',
      domain: d3.extent([-STILL, STILL, ...values]),
      grid: true,
      nice: true,
      ticks: 4,
    },
    marks: [Plot.ruleY([0], { stroke: 'var(--line)' }), LINES.map((line) => drawnLine(path, line))],
  });
}

function drawnLine(path, { name, color, dash }) {
  return Plot.line(path, {
    x: 'time_s',
    y: name,
    stroke: color,
    strokeWidth: 1.7,
    strokeDasharray: dash,
  });
}

function key() {
  const line = ({ name, color, border }) =>
    el('span', {}, el('i', { style: `border-top: 2px ${border} ${color}` }), name);
  return el('p', { class: 'camera-key' }, LINES.map(line));
}
