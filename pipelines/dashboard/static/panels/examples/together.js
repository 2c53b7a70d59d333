// Several clips that play in step: each begins with the others and is pulled back when it drifts.

import { address } from '../../core/api.js';
import { el } from '../../core/dom.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const REST_MS = 250;
const DRIFT_S = 0.12;
const LOOK_MS = 500;

/**
 * Clips that play together while the pointer or the focus is in `area`, or by the button.
 * `frames` are `{ frame: element that a video is put over, id: of the clip }`; gives `{ button, leave }`.
 */
export function playedTogether(area, frames) {
  const player = new Player(frames);
  let timer = 0;
  const enter = () => {
    clearTimeout(timer);
    if (!calm.matches && !player.isHeld) timer = setTimeout(() => player.start(), REST_MS);
  };
  const leave = () => {
    clearTimeout(timer);
    if (!player.isHeld) player.stop();
  };
  player.button.addEventListener('click', () => {
    clearTimeout(timer);
    player.press();
  });
  area.addEventListener('pointerenter', enter);
  area.addEventListener('pointerleave', leave);
  area.addEventListener('focusin', enter);
  area.addEventListener('focusout', (event) => area.contains(event.relatedTarget) || leave());
  return {
    button: player.button,
    leave: () => {
      clearTimeout(timer);
      player.stop();
    },
  };
}

class Player {
  constructor(frames) {
    Object.assign(this, { frames, videos: [], looking: 0 });
    /** Whether the button keeps them playing. */
    this.isHeld = false;
    this.button = el('button', { type: 'button', 'aria-pressed': 'false' }, 'play together');
  }

  press() {
    this.isHeld = !this.isHeld;
    if (this.isHeld) this.start();
    else this.stop();
  }

  async start() {
    if (this.videos.length) return;
    const own = this.frames.map(({ frame, id }) => this.put(frame, id));
    this.videos = own;
    this.show('true', 'stop');
    await Promise.all(own.map(canPlay));
    // They may have been stopped, and others begun, while these were loaded.
    if (own[0] !== this.videos[0]) return;
    for (const video of this.videos) video.play().catch(() => {});
    this.looking = setInterval(() => pullBack(this.videos), LOOK_MS);
  }

  stop() {
    clearInterval(this.looking);
    for (const video of this.videos) video.remove();
    this.videos = [];
    this.isHeld = false;
    this.show('false', 'play together');
  }

  /** Puts a video over a frame; one that cannot be played is taken away. */
  put(frame, id) {
    const video = el('video', {
      muted: true,
      loop: true,
      playsinline: true,
      preload: 'auto',
      '.muted': true,
      'aria-hidden': 'true',
      src: address(`clips/${id}/video`),
      onerror: () => {
        video.remove();
        this.videos = this.videos.filter((other) => other !== video);
      },
    });
    frame.append(video);
    return video;
  }

  show(pressed, text) {
    this.button.setAttribute('aria-pressed', pressed);
    this.button.textContent = text;
  }
}

/** Resolves when a video can be played, or never will be. */
const canPlay = (video) =>
  new Promise((done) => {
    video.addEventListener('canplay', done, { once: true });
    video.addEventListener('error', done, { once: true });
  });

function pullBack([first, ...others]) {
  for (const video of others) {
    const wanted = first.currentTime;
    const drift = Math.abs(video.currentTime - wanted);
    if (wanted < video.duration && drift > DRIFT_S) video.currentTime = wanted;
  }
}
