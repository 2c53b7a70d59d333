// One clip to play: its range of the source, or a sample as training reads it, and its frames.

import { address } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { place } from '../../core/format.js';
import { note } from '../../core/state.js';

/** The player: `element` is the section, `showFrames` fills the strip under the screen. */
export class ClipPlayer {
  /**
   * @param {object} clip of `/api/clip`
   * @param {?string} of the subset whose sample is played first; null plays the source
   */
  constructor(clip, of) {
    const samples = clip.subsets.filter((one) => one.sample?.status === 'ok');
    const subsets = samples.map((one) => one.subset);
    this.clip = clip;
    this.sources = [['source', null], ...subsets.map((subset) => [`sample ${subset}`, subset])];
    this.screen = el('div', { class: 'screen' });
    this.tabs = el('div', { class: 'tabs', role: 'group', 'aria-label': 'Play' });
    this.frames = el('div', { class: 'frames', role: 'group', 'aria-label': 'Stored frames' });
    this.element = el(
      'section',
      { class: 'card player', 'aria-label': 'Player' },
      subsets.length > 0 && this.tabs,
      this.screen,
      this.frames,
    );
    this.show(subsets.includes(of) ? of : null);
  }

  /** Shows the sample of a subset; of null, the source. */
  show(subset) {
    const { clip_id: id, subsets, place: at, is_image: isImage } = this.clip;
    const sample = subsets.find((one) => one.subset === subset)?.sample;
    this.start = sample ? sample.start_s : at.start_s;
    replace(
      this.tabs,
      this.sources.map(([title, one]) => this.tab(title, one, one === subset)),
    );
    const src = address(`clips/${id}/video`, subset ? { of: 'sample', subset } : {});
    const poster = address(`clips/${id}/poster`, { height: 720 });
    const screen = isImage ? el('img', { src, alt: `clip ${id}` }) : videoOf(id, src, poster);
    this.video = isImage ? null : screen;
    screen.addEventListener('error', () => this.fail(src, poster), { once: true });
    replace(this.screen, screen);
  }

  tab(title, subset, isShown) {
    const onclick = () => {
      note({ of: subset });
      this.show(subset);
    };
    return el('button', { type: 'button', 'aria-pressed': String(isShown), onclick }, title);
  }

  /** Shows a stored frame where the clip cannot be played, and says why in the server's words. */
  async fail(src, poster) {
    this.video = null;
    const why = el('p', { class: 'note', role: 'status' }, 'It cannot be played.');
    const picture = el('img', { src: poster, alt: 'a stored frame' });
    picture.addEventListener('error', () => picture.remove(), { once: true });
    replace(this.screen, picture, why);
    const response = await fetch(src).catch(() => null);
    if (response && !response.ok)
      why.textContent = (await response.json().catch(() => null))?.error ?? why.textContent;
    else await response?.body?.cancel();
  }

  /** Shows the stored frames, taken at these times; a click seeks to one. */
  showFrames(times) {
    replace(
      this.frames,
      times.map((time, frame) => this.frame(time, frame)),
    );
  }

  frame(time, frame) {
    const src = address(`clips/${this.clip.clip_id}/poster`, { frame });
    return el(
      'button',
      {
        type: 'button',
        title: 'seek to this frame',
        'aria-label': `frame at ${place(time)}`,
        onclick: () => this.seek(time),
      },
      el('img', { src, alt: '', loading: 'lazy' }),
      el('span', {}, place(time)),
    );
  }

  seek(time) {
    if (this.video) this.video.currentTime = Math.max(0, time - this.start);
  }
}

function videoOf(id, src, poster) {
  return el('video', {
    controls: true,
    muted: true,
    '.muted': true,
    loop: true,
    playsinline: true,
    preload: 'metadata',
    src,
    poster,
    'aria-label': `clip ${id}`,
  });
}
