// What a clip is, and where it comes from.

import { el } from '../../core/dom.js';
import { count, duration, place, words } from '../../core/format.js';
import { copyable } from '../../core/parts.js';

/** Its file and its place in it, beside the steps to other clips. */
export function clipHead(clip, steps) {
  const { place: at, video } = clip;
  const file = video.uris[0]?.split('/').at(-1) ?? video.video_id;
  const range = clip.is_image
    ? 'an image'
    : `${place(at.start_s)} to ${place(at.end_s)}, ${duration(at.duration_s)}, ${count(at.num_frames)} frames`;
  return el(
    'div',
    { class: 'clip-head' },
    el(
      'div',
      {},
      el('h2', { title: video.uris[0] }, file),
      el('p', { class: 'note' }, range, ' · ', el('code', {}, clip.clip_id)),
    ),
    steps,
  );
}

/** Its source, its shot and its licence, and the commands that look at it elsewhere. */
export function clipSource({ video, commands, place: at }) {
  const line = (name, value) => [el('dt', {}, name), el('dd', {}, value)];
  const shot = `${place(at.shot_start_s)} to ${place(at.shot_end_s)}`;
  return el(
    'section',
    { class: 'card about', 'aria-label': 'Source' },
    el(
      'dl',
      {},
      video.uris.map((uri, index) => line(index ? '' : 'source', uri)),
      line('SHA-256', el('code', {}, video.sha256)),
      line('shot', `${shot}, from ${at.cut_before} to ${at.cut_after}`),
      line('licence', video.licence ?? 'not stated'),
      video.source && line('from', video.source),
    ),
    commands.map(({ text }) => copyable(text)),
  );
}

/** What is known of it besides its measures. */
export function facts(found) {
  const texts = Object.entries(found).map(([name, value]) => `${words(name)}: ${said(value)}`);
  return el('p', { class: 'note' }, texts.join(', '));
}

function said(value) {
  if (typeof value !== 'boolean') return value;
  return value ? 'yes' : 'no';
}
