// All of one clip: to play, what it measures, how it was decided, what was made of it, what is near.

import { address, ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { count, duration, number, place, words } from '../core/format.js';
import { copyable, emptyState, errorBox, exports, tile, waiting } from '../core/parts.js';
import { go, panelHref } from '../core/state.js';
import { placeInList } from './clip_list.js';
import { measureList } from './clip_measures.js';
import { player } from './clip_player.js';
import { caption, decision, lineage, seen } from './clip_story.js';
import { arrowKeys } from './tile_keys.js';

const { Plot, d3 } = globalThis;

/** Slower than this nobody sees: a camera at rest is drawn as a flat line. */
const STILL = 0.05;

const LINES = { pan: { color: 'var(--accent)', dash: null }, tilt: { color: 'var(--rejected)', dash: '6 3' }, zoom: { color: 'var(--unknown)', dash: '2 3' } };

async function draw(body, { state: wanted, signal }) {
  if (!wanted.clip) {
    replace(body, emptyState('No clip is picked', 'Pick one among the examples.'), el('p', {}, el('a', { href: panelHref('examples') }, 'Examples')));
    return;
  }
  const asked = { clip_id: wanted.clip, subset: wanted.subset, rule: wanted.rule };
  const clip = await ask('clip', asked, signal);
  const samples = clip.subsets.filter((one) => one.sample?.status === 'ok').map((one) => one.subset);
  const screen = player(clip, samples, wanted.of);
  const steps = el('nav', { class: 'row steps-around', 'aria-label': 'Other clips' });
  const near = el('div', { class: 'body' }, waiting());
  const camera = el('div', {}, waiting());
  const line = el('div', {}, waiting());
  const own = [...clip.subsets].sort((one, other) => (other.subset === wanted.subset) - (one.subset === wanted.subset));
  replace(body, head(clip, steps),
    el('div', { class: 'clip-columns' },
      el('div', { class: 'body' }, screen.element, about(clip)),
      el('section', { class: 'card', 'aria-label': 'Decisions' }, el('h2', {}, 'Decisions'),
        own.length ? own.map((one, at) => folded(decision(one), one, at)) : el('p', { class: 'hint' }, `In no selection: its video is ${clip.video.status}.`))),
    el('div', { class: 'columns' },
      card('Captions', clip.captions.length ? clip.captions.map(caption) : el('p', { class: 'hint' }, 'No captioner was given it.'), el('h3', {}, 'What models see'), seen(clip.scores)),
      card('Camera', camera)),
    card('Measures', clip.measures.length ? measureList(clip.measures) : el('p', { class: 'hint' }, 'No subset is picked.'), facts(clip.facts)),
    near,
    card('Lineage', line),
    exports({ name: `clip-${clip.clip_id}`, rows: () => rowsOf(clip), chart: null }));
  keys(steps, signal);
  replace(steps, listSteps(wanted.clip, wanted.subset));
  const part = async (place_, question, shown) => {
    try {
      shown(await ask(question, asked, signal));
    } catch (error) {
      if (error.name !== 'AbortError' && !signal.aborted) replace(place_, errorBox(error));
    }
  };
  await Promise.all([
    part(camera, 'clip/stored', (stored) => {
      screen.frames(stored.frames);
      cameraCard(camera, clip, stored.camera_path);
      replace(line, lineage(clip, stored.lineage));
    }),
    wanted.subset && clip.subsets.some((one) => one.subset === wanted.subset)
      ? part(near, 'clip/neighbours', (found) => {
        replace(near, around(found, clip, wanted.subset));
        replace(steps, listSteps(wanted.clip, wanted.subset), videoSteps(found.video, wanted.subset));
      }) : replace(near),
  ]);
}

const card = (title, ...children) => el('section', { class: 'card', 'aria-label': title }, el('h2', {}, title), ...children);

/** The first subset is open, the others are folded away under their verdict. */
function folded(article, { subset, status, reason }, at) {
  if (at === 0) return article;
  article.firstChild.remove();
  return el('details', {}, el('summary', {}, `${subset}: ${status === 'ok' ? 'kept' : `rejected by ${words(reason ?? status)}`}`), article);
}

function head(clip, steps) {
  const { place: at, video } = clip;
  const file = video.uris[0]?.split('/').at(-1) ?? video.video_id;
  return el('div', { class: 'clip-head' },
    el('div', {}, el('h2', { title: video.uris[0] }, file),
      el('p', { class: 'note' }, clip.is_image ? 'an image' : `${place(at.start_s)} to ${place(at.end_s)}, ${duration(at.duration_s)}, ${count(at.num_frames)} frames`, ' · ', el('code', {}, clip.clip_id))),
    steps);
}

function listSteps(clip, subset) {
  const found = placeInList(clip);
  if (!found) return [el('a', { href: panelHref('examples', { subset }) }, 'Examples')];
  return [
    el('a', { href: found.href }, 'Back to the list'),
    step('‹ previous', found.previous, subset, 'k'), el('span', { class: 'note' }, `${count(found.place + 1)} of ${count(found.num)} listed`), step('next ›', found.next, subset, 'j'),
  ];
}

function videoSteps({ previous, next, place: at, num }, subset) {
  return el('span', { class: 'row' }, step('‹ earlier', previous, subset, '['), el('span', { class: 'note' }, `clip ${count(at + 1)} of ${count(num)} of the video`), step('later ›', next, subset, ']'));
}

function step(text, clip, subset, key) {
  return clip && el('a', { href: panelHref('clip', { clip, subset }), 'data-key': key, title: `key ${key}` }, text);
}

function keys(steps, signal) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.('input, textarea, select')) return;
    const link = [...steps.querySelectorAll('[data-key]')].find((one) => one.dataset.key === event.key);
    if (link) go(link.getAttribute('href'));
  }, { signal });
}

function about({ video, commands, place: at }) {
  return el('section', { class: 'card about', 'aria-label': 'Source' },
    el('dl', {},
      video.uris.map((uri, number_) => [el('dt', {}, number_ ? '' : 'source'), el('dd', {}, uri)]),
      el('dt', {}, 'SHA-256'), el('dd', {}, el('code', {}, video.sha256)),
      el('dt', {}, 'shot'), el('dd', {}, `${place(at.shot_start_s)} to ${place(at.shot_end_s)}, from ${at.cut_before} to ${at.cut_after}`),
      el('dt', {}, 'licence'), el('dd', {}, video.licence ?? 'not stated'),
      video.source && [el('dt', {}, 'from'), el('dd', {}, video.source)]),
    commands.map(({ text }) => copyable(text)));
}

function facts(found) {
  return el('p', { class: 'note' }, Object.entries(found).map(([name, value], at) => `${at ? ', ' : ''}${words(name)}: ${value === true ? 'yes' : value === false ? 'no' : value}`));
}

function cameraCard(card_, clip, path) {
  const told = clip.captions.filter((one) => one.camera).map((one) => el('p', {}, el('b', {}, words(one.camera)), ` by ${one.captioner}, ${number(one.camera_confidence)} sure`));
  if (path.length < 2) {
    replace(card_, told, el('p', { class: 'hint' }, clip.is_image ? 'An image has none.' : 'Its path was not measured.'));
    return;
  }
  const rows = path.flatMap((at) => Object.keys(LINES).map((name) => ({ time_s: at.time_s, name, value: at[name] })));
  const chart = Plot.plot({
    width: Math.max(260, card_.clientWidth), height: 170, marginLeft: 48, marginRight: 40, style: { background: 'none', fontSize: '12px', fontFamily: 'inherit' },
    x: { label: 'seconds of the clip →' }, y: { label: '↑ per second', domain: d3.extent([-STILL, STILL, ...rows.map((row) => row.value)]), grid: true, nice: true, ticks: 4 },
    marks: [Plot.ruleY([0], { stroke: 'var(--line)' }), Object.entries(LINES).map(([name, { color, dash }]) => [
      Plot.line(rows.filter((row) => row.name === name), { x: 'time_s', y: 'value', stroke: color, strokeWidth: 1.7, strokeDasharray: dash }),
    ])],
  });
  chart.setAttribute('role', 'img');
  chart.setAttribute('aria-label', 'camera motion over the clip');
  const key = el('p', { class: 'camera-key' }, Object.entries(LINES).map(([name, { color, dash }]) => el('span', {}, el('i', { style: `border-top: 2px ${dash ? (dash[0] === '6' ? 'dashed' : 'dotted') : 'solid'} ${color}` }), name)));
  replace(card_, told, key, chart, el('p', { class: 'hint' }, 'Pan and tilt in frame widths and heights per second, zoom as the natural logarithm of the scale per second.'),
    exports({ name: `camera-${clip.clip_id}`, rows: () => path, chart: () => chart }));
}

function around({ video, same, concept }, clip, subset) {
  const row = (clips, options = {}) => {
    const grid = el('div', { class: 'tiles small' }, clips.map((one) => {
      const link = tile(one, { subset, ...options });
      link.setAttribute('aria-label', `clip ${one.clip_id}, ${one.verdict === 'ok' ? 'kept' : `rejected by ${words(one.reason ?? '')}`}`);
      if (one.clip_id === clip.clip_id) link.setAttribute('aria-current', 'true');
      else if (one.start_s !== undefined) link.title = `${place(one.start_s)} to ${place(one.end_s)}`;
      return link;
    }));
    arrowKeys(grid);
    return grid;
  };
  return [
    card('Of the same video', el('p', {}, el('a', { href: panelHref('examples', { video: clip.video_id, order: 'time', subset }) }, `${count(video.num)} clips`)), row(video.clips)),
    same.clips.length > 0 && card('Shows the same', el('p', {}, `${count(same.num)} clips; the first is kept, the others are rejected for it. `, el('a', { href: panelHref('examples', { duplicate_of: same.kept, subset }) }, 'All of them')), row(same.clips, { measure: 'cosine' })),
    concept && card(`Of concept ${concept.name}`, el('p', {}, el('a', { href: panelHref('examples', { concept: concept.concept_id, subset }) }, `${count(concept.num)} clips`), concept.clips.length > 0 && ', those first whose words are the likest'), row(concept.clips)),
  ];
}

function rowsOf(clip) {
  return clip.measures.map(({ name, value, least, low, median, high, most, rule }) => ({ clip_id: clip.clip_id, measure: name, value, least, low, median, high, most, rule_min: rule?.min ?? null, rule_max: rule?.max ?? null }));
}

export default {
  id: 'clip',
  title: 'Clip',
  hint: 'Keys: j and k step through the list, [ and ] through the video.',
  draw,
};
