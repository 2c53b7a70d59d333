// Several clips that play in step: each begins with the others and is pulled back when it drifts.

import { address } from '../core/api.js';
import { el } from '../core/dom.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const REST_MS = 250;
const DRIFT_S = 0.12;
const LOOK_MS = 500;

/**
 * Clips that play together while the pointer or the focus is in `area`, or by the button.
 * `frames` are `{ frame: element that a video is put over, id: of the clip }`; gives `{ button, leave }`.
 */
export function playedTogether(area, frames) {
  let videos = [];
  let timer = 0;
  let looking = 0;
  let isHeld = false;
  const button = el('button', { type: 'button', 'aria-pressed': 'false', onclick: () => {
    isHeld = !isHeld;
    if (isHeld) start();
    else stop();
  } }, 'play together');

  async function start() {
    clearTimeout(timer);
    if (videos.length) return;
    videos = frames.map(({ frame, id }) => {
      const video = el('video', { muted: true, loop: true, playsinline: true, preload: 'auto', '.muted': true, 'aria-hidden': 'true', src: address(`clips/${id}/video`) });
      video.addEventListener('error', () => {
        video.remove();
        videos = videos.filter((other) => other !== video);
      });
      frame.append(video);
      return video;
    });
    button.setAttribute('aria-pressed', 'true');
    button.textContent = 'stop';
    const own = videos;
    await Promise.all(own.map((video) => new Promise((done) => {
      video.addEventListener('canplay', done, { once: true });
      video.addEventListener('error', done, { once: true });
    })));
    if (own[0] !== videos[0]) return;
    for (const video of videos) video.play().catch(() => {});
    looking = setInterval(() => {
      const [first, ...others] = videos;
      for (const other of others) {
        const wanted = first.currentTime;
        if (wanted < other.duration && Math.abs(other.currentTime - wanted) > DRIFT_S) other.currentTime = wanted;
      }
    }, LOOK_MS);
  }

  function stop() {
    clearTimeout(timer);
    clearInterval(looking);
    for (const video of videos) video.remove();
    videos = [];
    isHeld = false;
    button.setAttribute('aria-pressed', 'false');
    button.textContent = 'play together';
  }

  const enter = () => {
    clearTimeout(timer);
    if (!calm.matches && !isHeld) timer = setTimeout(start, REST_MS);
  };
  const leaveArea = () => {
    clearTimeout(timer);
    if (!isHeld) stop();
  };
  area.addEventListener('pointerenter', enter);
  area.addEventListener('pointerleave', leaveArea);
  area.addEventListener('focusin', enter);
  area.addEventListener('focusout', (event) => area.contains(event.relatedTarget) || leaveArea());
  return { button, leave: stop };
}
