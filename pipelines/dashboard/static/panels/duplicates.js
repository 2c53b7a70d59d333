// Which clip was kept for which others, and what a stricter threshold would free.

import { address, ask } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { count, duration, number, place, words } from '../core/format.js';
import { copyable, emptyState, errorBox, exports, figure } from '../core/parts.js';
import { href, note, panelHref } from '../core/state.js';
import { playedTogether } from './together.js';

const SIZE = 8;
const WAIT_MS = 120;
const KINDS = {
  different: { param: 'threshold', title: 'clips of different videos' },
  same: { param: 'same_video_threshold', title: 'clips of one video' },
};

async function draw(body, context) {
  const { state, overview, signal } = context;
  if (!state.subset) {
    replace(body, emptyState('No subset has been selected yet', 'Duplicates are looked for among what a subset keeps.'));
    return null;
  }
  const asked = { subset: state.subset, threshold: state.threshold, same_video_threshold: state.same_video_threshold };
  const page = Math.max(0, Number(state.page) || 0);
  const [found, { num, groups }] = await Promise.all([
    ask('duplicates', asked, signal), ask('duplicates/groups', { ...asked, page, size: SIZE }, signal)]);
  if (!found.num) {
    replace(body, nothing(found, state.subset, overview));
    return null;
  }
  const told = el('div', { class: 'figures', 'aria-live': 'polite' });
  const list = el('div', { class: 'dup-groups' });
  const sliders = el('div', { class: 'columns' });
  replace(told, ...figures(found, state.subset));
  const leave = drawGroups(list, groups);
  replace(sliders, Object.keys(KINDS).filter((kind) => found.kinds[kind]).map((kind) => sliderCard(kind, found, asked, (wanted) => again(wanted))));

  let timer = 0;
  let asking = null;
  /** Counts under other thresholds, while a slider is moved. */
  function again(wanted) {
    Object.assign(asked, wanted);
    note(wanted);
    clearTimeout(timer);
    timer = setTimeout(async () => {
      asking?.abort();
      asking = new AbortController();
      try {
        const fresh = await ask('duplicates', asked, asking.signal);
        replace(told, ...figures(fresh, state.subset));
        for (const card of sliders.children) card.told(fresh);
        mark(list, asked, found.settings);
      } catch (error) {
        if (error.name !== 'AbortError') replace(told, errorBox(error));
      }
    }, WAIT_MS);
  }

  replace(body, told, sliders, looser(found, overview), pager(page, num), list, pager(page, num),
    exports({ name: `duplicates-${state.subset}`, rows: () => groups.flatMap(csvRows), chart: () => sliders.querySelector('svg'),
      links: ['csv', 'parquet'].map((format) => [`all ids (${format})`, address('clips/export', { subset: state.subset, reason: 'duplicate', format })]) }));
  return () => {
    leave();
    clearTimeout(timer);
    asking?.abort();
  };
}

function nothing(found, subset, overview) {
  if (found.num_unscored) {
    return emptyState('No duplicates are known', `${count(found.num_unscored)} clips of ${subset} could not be compared: they have no copy embedding.`, `moviola curate RECIPE --workspace '${overview.workspace}'`);
  }
  if (found.settings) return emptyState('No duplicates', `No two clips that ${subset} keeps are as alike as ${number(found.settings.threshold)} (${number(found.settings.same_video_threshold)} within one video).`);
  return emptyState('Duplicates were not looked for', 'The recipe has no selection.duplicates, or was not kept. It needs scores.copy_detection; only what is missing is made.',
    `moviola curate RECIPE --workspace '${overview.workspace}' --set selection.duplicates={}`);
}

function figures(found, subset) {
  const left = found.num - found.num_freed;
  return [
    figure('duplicates', el('a', { href: panelHref('examples', { subset, reason: 'duplicate' }) }, count(found.num)), `in ${count(found.num_groups)} groups`),
    figure('no longer near', count(found.num_freed), 'the clip kept in their place', { id: 'freed', class: `figure${found.num_freed ? ' warn' : ''}` }),
    figure('still near', count(left), 'and so still duplicates of it'),
    figure('groups that shrink', count(found.num_shrunk), `${count(found.num_dissolved)} of them dissolve`),
    found.num_unscored > 0 && figure('not compared', el('a', { href: panelHref('examples', { subset, reason: 'duplicate:unscored' }) }, count(found.num_unscored)), 'no copy embedding'),
  ];
}

function looser(found, overview) {
  const { settings } = found;
  if (!settings) return el('p', { class: 'state' }, 'The recipe was not kept, so the thresholds that found these are unknown.');
  return el('details', { class: 'card' },
    el('summary', {}, `Stricter thresholds are counted exactly; looser than the recipe’s ${number(settings.threshold)} cannot be told from what is stored`),
    el('p', {}, 'Stricter: exact. A duplicate less alike than the threshold is no longer a duplicate of the clip that was kept in its place. Whether it is kept then is decided anew: it may be near another kept or freed clip, and a clip kept now may give way to a better one that is freed. Groups can split.'),
    el('p', {}, `Looser than ${number(settings.threshold)} (${number(settings.same_video_threshold)} within one video): not known. Pairs that are less alike were not stored, so the sliders end there. Deciding again takes no decoding:`),
    copyable(`moviola select RECIPE --workspace '${overview.workspace}' --set selection.duplicates.threshold=${number(Math.max(0.01, settings.threshold - 0.05))}`));
}

/** A threshold with the histogram of what it cuts. */
function sliderCard(kind, found, asked, changed) {
  const { param, title } = KINDS[kind];
  const { num, bins } = found.kinds[kind];
  const least = found.settings?.[param] ?? Math.min(...bins.map((bin) => bin.low));
  const start = Number(asked[param] ?? least);
  const said = el('output', {});
  const chart = el('div', { class: 'dup-chart' });
  const range = el('input', { type: 'range', min: least, max: 1, step: 0.001, '.value': start, 'aria-label': `threshold for ${title}`, 'data-kind': kind,
    oninput: (event) => move(Number(event.target.value)),
    onpointerdown: (event) => event.target.classList.add('busy'), onpointerup: (event) => event.target.classList.remove('busy'),
    onblur: (event) => event.target.classList.remove('busy') });
  const card = el('section', { class: 'card', 'aria-label': title },
    el('div', { class: 'row' }, el('h2', {}, title), el('span', { class: 'hint' }, `${count(num)} ${num === 1 ? 'duplicate' : 'duplicates'}, by how alike to the kept clip`)),
    chart,
    el('div', { class: 'row dup-slider' }, range, said,
      el('button', { type: 'button', onclick: () => { range.value = least; move(least); } }, 'recipe’s')));
  const show = (value, freed) => {
    said.textContent = `${value.toFixed(3)}: ${count(freed)} of ${count(num)} no longer near`;
    replace(chart, histogram(bins, value, least, chart.clientWidth || 520));
  };
  let freed = found.kinds[kind].num_freed;
  function move(value) {
    show(value, freed);
    changed({ [param]: value > least ? value.toFixed(3) : null });
  }
  card.told = (fresh) => {
    freed = fresh.kinds[kind].num_freed;
    show(Number(range.value), freed);
  };
  const size = new ResizeObserver(() => show(Number(range.value), freed));
  size.observe(chart);
  return card;
}

function histogram(bins, threshold, least, width) {
  const { Plot } = globalThis;
  const low = Math.min(least, ...bins.map((bin) => bin.low));
  const parts = bins.map((bin) => ({ ...bin, freed: bin.high <= threshold }));
  return Plot.plot({
    width, height: 138, marginLeft: 40, marginBottom: 30, marginTop: 24,
    style: { background: 'none', fontSize: '12px', fontFamily: 'inherit' },
    ariaLabel: 'Histogram of how alike duplicates are to the clip kept in their place',
    x: { domain: [low, 1], label: 'cosine →' }, y: { label: null, ticks: 3, tickFormat: (value) => (Number.isInteger(value) ? count(value) : ''), grid: true },
    marks: [
      Plot.rectY(parts, { x1: 'low', x2: 'high', y: 'num', inset: 0.5, fill: (bin) => (bin.freed ? 'var(--rejected)' : 'var(--accent)'), title: (bin) => `${bin.low.toFixed(3)}–${bin.high.toFixed(3)}: ${count(bin.num)}` }),
      Plot.ruleY([0], { stroke: 'var(--faint)' }),
      Plot.ruleX([threshold], { stroke: 'var(--ink)', strokeWidth: 2 }),
      Plot.text([threshold], { x: (value) => value, text: (value) => value.toFixed(3), frameAnchor: 'top', textAnchor: 'start', dx: -2, dy: -12, fill: 'var(--ink)' }),
    ],
  });
}

function pager(page, num) {
  const last = Math.max(0, Math.ceil(num / SIZE) - 1);
  if (!last) return null;
  const step = (to, label) => el('a', { href: href({ page: to || null }), 'aria-disabled': to < 0 || to > last ? 'true' : null }, label);
  return el('div', { class: 'row pages', role: 'navigation', 'aria-label': 'Pages of groups' },
    page > 0 && step(page - 1, '← larger'), el('span', { class: 'hint' }, `groups ${count(page * SIZE + 1)} to ${count(Math.min(num, (page + 1) * SIZE))} of ${count(num)}`), page < last && step(page + 1, 'smaller →'));
}

function drawGroups(list, groups) {
  const leaving = [];
  replace(list, groups.map((group) => {
    const { node, leave } = drawnGroup(group);
    leaving.push(leave);
    return node;
  }));
  return () => leaving.forEach((leave) => leave());
}

function drawnGroup(group) {
  const { kept, members, num } = group;
  const name = kept ? fileOf(kept.uri) : group.duplicate_of;
  const frames = [];
  const tiles = el('div', { class: 'dup-tiles' },
    kept ? clipCard(kept, null, frames) : el('div', { class: 'dup-clip' }, el('div', { class: 'frame blank' }, 'elsewhere'), el('b', {}, 'kept elsewhere'), el('small', {}, `${group.duplicate_of}, in an earlier workspace or a block list`)),
    members.map((member) => clipCard(member, kept, frames)),
    num > members.length && el('a', { class: 'more', href: panelHref('examples', { duplicate_of: group.duplicate_of, reason: 'duplicate' }) }, `and ${count(num - members.length)} more`));
  const { button, leave } = playedTogether(tiles, frames);
  const node = el('section', { class: 'card dup-group', 'data-group': group.duplicate_of },
    el('div', { class: 'row' },
      el('h2', {}, name),
      el('a', { href: panelHref('examples', { duplicate_of: group.duplicate_of, reason: 'duplicate' }) }, `${count(num)} ${num === 1 ? 'duplicate' : 'duplicates'}`),
      el('span', { class: 'hint shrunk' }, group.num_freed ? `${count(group.num_freed)} no longer near` : ''),
      frames.length > 1 && button),
    tiles);
  return { node, leave };
}

const fileOf = (uri) => (uri ?? '').split('/').pop() || 'unknown file';

function clipCard(clip, kept, frames) {
  const isKept = kept === null && clip.cosine === undefined;
  const picture = el('img', { loading: 'lazy', alt: '', src: address(`clips/${clip.clip_id}/poster`) });
  picture.addEventListener('error', () => picture.replaceWith(el('span', {}, 'no picture')), { once: true });
  const frame = el('a', { class: 'frame', href: panelHref('clip', { clip: clip.clip_id }), 'aria-label': `clip ${clip.clip_id}` }, picture,
    el('span', { class: 'length' }, clip.is_image ? 'image' : duration(clip.duration_s)));
  if (!clip.is_image) frames.push({ frame, id: clip.clip_id });
  const fate = isKept ? (clip.verdict === 'ok' ? 'kept' : `best, then rejected: ${words(clip.reason)}`) : null;
  return el('div', { class: `dup-clip ${isKept ? 'kept' : 'rejected'}`, 'data-clip': clip.clip_id, 'data-cosine': clip.cosine ?? null, 'data-same': clip.is_same ?? null },
    frame,
    el('b', { class: 'fate' }, isKept ? `✓ ${fate}` : `✗ ${number(clip.cosine)} alike`),
    el('small', { class: 'file', title: clip.uri }, `${fileOf(clip.uri)}, ${clip.width} × ${clip.height}${clip.is_image ? '' : `, from ${place(clip.start_s)}`}`),
    !isKept && el('span', { class: `freed${clip.is_freed ? '' : ' off'}` }, 'no longer near'),
    measures(clip, kept));
}

/** The measures by which the best was chosen, in order; the one that decided is marked. */
function measures(clip, kept) {
  const names = Object.keys(clip.measures);
  if (!names.length) return null;
  const decides = clip.decided_by;
  return el('dl', {}, names.map((name) => {
    const isLow = name.startsWith('-');
    const measure = isLow ? name.slice(1) : name;
    return [
      el('dt', { class: name === decides && 'decides', title: isLow ? 'the lower is better' : 'the higher is better' }, `${words(measure)} ${isLow ? '↓' : '↑'}`),
      el('dd', { class: name === decides && 'decides' }, number(clip.measures[name]), name === decides && kept && el('span', {}, ` kept: ${number(kept.measures[name])}`))];
  }), kept && !decides && [el('dt', { class: 'decides' }, 'all equal'), el('dd', { class: 'decides' }, 'the id decided')]);
}

/** Marks what is freed under other thresholds, without asking for the clips again. */
function mark(list, asked, settings) {
  for (const group of list.children) {
    let num = 0;
    for (const clip of group.querySelectorAll('[data-cosine]')) {
      const param = clip.dataset.same === 'true' ? 'same_video_threshold' : 'threshold';
      const isFreed = Number(clip.dataset.cosine) < Number(asked[param] ?? settings?.[param] ?? 0);
      clip.querySelector('.freed').classList.toggle('off', !isFreed);
      num += isFreed;
    }
    group.querySelector('.shrunk').textContent = num ? `${count(num)} no longer near` : '';
  }
}

const csvRows = (group) => group.members.map((member) => ({
  duplicate_of: group.duplicate_of, clip_id: member.clip_id, cosine: member.cosine, is_same_video: member.is_same, is_freed: member.is_freed, decided_by: member.decided_by, uri: member.uri, ...member.measures }));

export default {
  id: 'duplicates',
  title: 'Duplicates',
  hint: 'Clips that show the same: which was kept, why that one, and how alike the others are.',
  draw,
};
