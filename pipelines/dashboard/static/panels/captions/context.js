// What stands around the words of a caption: who wrote it, of what, and what it rests on.

import { el } from '../../core/dom.js';
import { percent, place, words } from '../../core/format.js';
import { hint } from '../../core/parts.js';
import { href, panelHref } from '../../core/state.js';

/** What a caption's review is called. */
export const REVIEWS = {
  accept: '✓ accepted',
  reject: '✗ rejected',
  edit: '✎ edited',
  none: 'not reviewed',
  outdated: 'written again since it was reviewed',
};

/** Who wrote it, and of which clip. */
export function captionHead(caption) {
  const { clip_id: clip, uri, is_image: isImage, start_s: start, captioner } = caption;
  const { model, prompt_version: version, origin } = caption;
  const file = (uri ?? clip).split('/').pop();
  return el(
    'div',
    { class: 'row caption-head' },
    el('b', {}, captioner),
    el('span', { class: 'hint' }, `${model}, prompt ${version}, ${origin}`),
    el(
      'a',
      { href: panelHref('clip', { clip }), title: uri },
      `${file}${isImage ? '' : `, from ${place(start ?? 0)}`}`,
    ),
  );
}

/** Its flags, the camera that it tells of, and the facts that it rests on. */
export function captionContext({ flags, facts, ...caption }) {
  return [
    flags.length > 0 && el('p', { class: 'row' }, flags.map(flagLink)),
    hint(...camera(caption)),
    facts?.length > 0 &&
      el(
        'details',
        {},
        el('summary', {}, `rests on ${facts.length} facts`),
        el('ul', { class: 'facts' }, facts.map(factLine)),
      ),
  ];
}

const flagLink = (flag) =>
  el('a', { class: 'flag', href: href({ flag, page: null }) }, words(flag));

function camera({ camera: move, camera_confidence: confidence, num_words: num, attempts }) {
  return [
    move ? `camera: ${move}, ${percent(confidence)} sure` : 'no camera (an image)',
    `; ${num} words${attempts > 1 ? `; written ${attempts} times` : ''}`,
  ];
}

/** `kind: numbers`, the kind in words. */
function factLine(fact) {
  const [kind, ...rest] = fact.split(': ');
  return el('li', {}, el('b', {}, words(kind)), ` ${rest.join(': ')}`);
}

/** What another captioner wrote of the same clip. */
export function otherCaption({ captioner, review, caption, flags }, { clip_id: clip, ...own }) {
  const unfiltered = { reviewed: null, flag: null, words: null, text: null, page: null };
  return el(
    'div',
    { class: 'other' },
    el('p', {}, el('b', {}, captioner), ' ', el('small', {}, REVIEWS[review])),
    caption === own.caption ? hint('the same words') : el('p', {}, caption || '(empty)'),
    flags.length > 0 && el('small', {}, `flags: ${flags.map(words).join(', ')} `),
    el('a', { href: href({ clip, captioner, ...unfiltered }) }, 'review this one'),
  );
}
