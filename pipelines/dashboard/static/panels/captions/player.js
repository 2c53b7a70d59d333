// The clip of a caption: its picture, which a click plays, and its stored frames.

import { address } from '../../core/api.js';
import { el } from '../../core/dom.js';
import { duration } from '../../core/format.js';

const FRAMES = 4;

/** A clip to play; the frames under it are what the captioner saw. An image has its picture alone. */
export class CaptionPlayer {
  constructor({ clip_id: id, is_image: isImage, duration_s: seconds }) {
    Object.assign(this, { id, isImage });
    this.stage = el('div', { class: 'stage' }, this.middle());
    this.button = el(
      'button',
      {
        type: 'button',
        class: 'play',
        'aria-label': `▶ ${duration(seconds)}, play the clip`,
        onclick: () => this.play(),
      },
      `▶ ${duration(seconds)}`,
    );
    if (!isImage) this.stage.append(this.button);
    this.node = el('div', { class: 'caption-media' }, this.stage, !isImage && this.frames());
  }

  picture(params, alt) {
    const src = address(`clips/${this.id}/poster`, params);
    const image = el('img', { loading: 'lazy', alt, src });
    image.addEventListener('error', () => image.remove(), { once: true });
    return image;
  }

  middle() {
    const image = this.picture({ height: 240 }, 'the middle frame');
    const tell = () => this.stage.prepend(el('span', {}, 'no picture'));
    image.addEventListener('error', tell, { once: true });
    return image;
  }

  frames() {
    const strip = el('div', { class: 'strip' });
    for (let frame = 0; frame < FRAMES; frame += 1)
      strip.append(this.picture({ frame, height: 90 }, `stored frame ${frame + 1}`));
    return strip;
  }

  /** Plays the clip; once it is there, stops it and goes on. */
  play() {
    if (this.isImage) return;
    const old = this.stage.querySelector('video');
    if (old && !old.paused) {
      old.pause();
      return;
    }
    const video = old ?? this.video();
    video.play().catch(() => {});
  }

  video() {
    const video = el('video', {
      muted: true,
      '.muted': true,
      loop: true,
      controls: true,
      playsinline: true,
      src: address(`clips/${this.id}/video`),
    });
    video.addEventListener('error', () => {
      video.remove();
      this.button.textContent = 'cannot be played';
      this.button.hidden = false;
    });
    this.button.hidden = true;
    this.stage.append(video);
    return video;
  }
}
