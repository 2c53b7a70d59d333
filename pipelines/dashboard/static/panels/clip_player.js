// One clip to play: its range of the source, or a sample as training reads it, and its frames.

import { address } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { place } from '../core/format.js';
import { note } from '../core/state.js';

/**
 * The player.
 * @param {object} clip of `/api/clip`
 * @param {string[]} samples the subsets that have a sample of it
 * @param {?string} of the subset whose sample is played first; null plays the source
 * @returns {{element: HTMLElement, frames: function(number[]): void}}
 */
export function player(clip, samples, of) {
  const screen = el('div', { class: 'screen' });
  const strip = el('div', { class: 'frames', role: 'group', 'aria-label': 'Stored frames' });
  const sources = [['source', null], ...samples.map((subset) => [`sample ${subset}`, subset])];
  const tabs = el('div', { class: 'tabs', role: 'group', 'aria-label': 'Play' });
  let start = clip.place.start_s;
  let video = null;

  function show(subset) {
    const sample = clip.subsets.find((one) => one.subset === subset)?.sample;
    start = sample ? sample.start_s : clip.place.start_s;
    replace(tabs, sources.map(([title, one]) => el('button', { type: 'button', 'aria-pressed': String(one === subset), onclick: () => {
      note({ of: one });
      show(one);
    } }, title)));
    const src = address(`clips/${clip.clip_id}/video`, subset ? { of: 'sample', subset } : {});
    const poster = address(`clips/${clip.clip_id}/poster`, { height: 720 });
    if (clip.is_image) {
      video = null;
      replace(screen, el('img', { src, alt: `clip ${clip.clip_id}` }));
      screen.firstChild.addEventListener('error', () => failed(src, poster), { once: true });
      return;
    }
    video = el('video', { controls: true, muted: true, '.muted': true, loop: true, playsinline: true, preload: 'metadata', src, poster, 'aria-label': `clip ${clip.clip_id}` });
    video.addEventListener('error', () => failed(src, poster), { once: true });
    replace(screen, video);
  }

  /** Shows a stored frame where the clip cannot be played, and says why in the server's words. */
  async function failed(src, poster) {
    video = null;
    const why = el('p', { class: 'note', role: 'status' }, 'It cannot be played.');
    const picture = el('img', { src: poster, alt: 'a stored frame' });
    picture.addEventListener('error', () => picture.remove(), { once: true });
    replace(screen, picture, why);
    const response = await fetch(src).catch(() => null);
    if (response && !response.ok) why.textContent = (await response.json().catch(() => null))?.error ?? why.textContent;
    else await response?.body?.cancel();
  }

  function frames(times) {
    replace(strip, times.map((time, frame) => el('button', { type: 'button', title: 'seek to this frame', 'aria-label': `frame at ${place(time)}`, onclick: () => {
      if (video) video.currentTime = Math.max(0, time - start);
    } }, el('img', { src: address(`clips/${clip.clip_id}/poster`, { frame }), alt: '', loading: 'lazy' }), el('span', {}, place(time)))));
  }

  show(samples.includes(of) ? of : null);
  return { element: el('section', { class: 'card player', 'aria-label': 'Player' }, sources.length > 1 && tabs, screen, strip), frames };
}
