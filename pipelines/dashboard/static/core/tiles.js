// Clips as tiles.

import { address } from './api.js';
import { el } from './dom.js';
import { duration, number, words } from './format.js';
import { panelHref } from './state.js';

const REST_MS = 180;
const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** A clip as a tile: its picture, which plays under the pointer or the keyboard; a click opens it. */
export function tile(clip, { measure = null, subset = null } = {}) {
  const isKept = clip.verdict === 'ok';
  const why = isKept ? 'kept' : words(clip.reason ?? clip.verdict ?? '');
  const frame = el(
    'div',
    { class: 'frame' },
    picture(clip),
    !clip.is_image && el('span', { class: 'length' }, duration(clip.duration_s)),
  );
  const link = el(
    'a',
    {
      class: `tile ${isKept ? 'kept' : 'rejected'}`,
      href: panelHref('clip', { clip: clip.clip_id, subset }),
      'data-clip': clip.clip_id,
    },
    frame,
    el('span', { class: 'why' }, why),
    measure && el('span', { class: 'value' }, `${words(measure)} ${number(clip.value)}`),
  );
  if (!clip.is_image) playsOnHover(link, frame, clip.clip_id);
  return link;
}

function picture({ clip_id: id }) {
  const image = el('img', { loading: 'lazy', alt: '', src: address(`clips/${id}/poster`) });
  const blank = () => image.replaceWith(el('div', { class: 'blank' }, 'no picture'));
  image.addEventListener('error', blank, { once: true });
  return image;
}

function playsOnHover(link, frame, clipId) {
  let video = null;
  let timer = 0;
  const drop = () => {
    video?.remove();
    video = null;
  };
  const stop = () => {
    clearTimeout(timer);
    drop();
  };
  const play = () => {
    drop();
    video = videoOf(clipId);
    video.addEventListener('error', drop);
    frame.append(video);
    video.play().catch(() => {});
  };
  const start = () => {
    clearTimeout(timer);
    if (!calm.matches && !video) timer = setTimeout(play, REST_MS);
  };
  link.addEventListener('pointerenter', start);
  link.addEventListener('pointerleave', stop);
  link.addEventListener('focus', start);
  link.addEventListener('blur', stop);
}

function videoOf(clipId) {
  return el('video', {
    muted: true,
    loop: true,
    playsinline: true,
    '.muted': true,
    src: address(`clips/${clipId}/video`),
  });
}
