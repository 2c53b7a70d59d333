// One sample: an image, or a video that plays under the pointer, the keyboard or a click.

import { el } from '../../core/dom.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** A sample of a step, with its shape kept free until it is loaded. */
export function shownSample(sample, step, src) {
  const label = `step ${step}: ${sample.prompt ?? sample.file}`;
  const style =
    sample.width && sample.height
      ? `aspect-ratio:${Number(sample.width)}/${Number(sample.height)}`
      : null;
  return sample.is_video
    ? player(src, label, style)
    : el('img', { loading: 'lazy', src, alt: label, style });
}

function player(src, label, style) {
  const video = el('video', {
    // A place in the video has the browser show its first frame.
    src: `${src}#t=0.001`,
    preload: 'metadata',
    loop: true,
    playsinline: true,
    '.muted': true,
    style,
    'aria-hidden': 'true',
  });
  const play = () => video.play().catch(() => {});
  const stop = () => video.pause();
  const hover = () => {
    if (!calm.matches) play();
  };
  return el(
    'button',
    {
      type: 'button',
      class: 'sample',
      'aria-label': `play ${label}`,
      onclick: () => (video.paused ? play() : stop()),
      onpointerenter: hover,
      onpointerleave: stop,
      onfocus: (event) => {
        if (event.target.matches(':focus-visible')) hover();
      },
      onblur: stop,
    },
    video,
  );
}
