// One clip of a group of duplicates, with the measures that decided which of them is kept.
// Each card is `{ node, played }`; `played` is its frame for what plays clips together, if it moves.

import { address } from '../../core/api.js';
import { el } from '../../core/dom.js';
import { duration, number, place, words } from '../../core/format.js';
import { panelHref } from '../../core/state.js';

/** The name of the file of a clip. */
export const fileOf = (uri) => (uri ?? '').split('/').pop() || 'unknown file';

/** The best clip of a group, which another rule may have rejected since. */
export function keptCard(clip) {
  const fate = clip.verdict === 'ok' ? 'kept' : `best, then rejected: ${words(clip.reason)}`;
  const data = { class: 'dup-clip kept', 'data-clip': clip.clip_id };
  return clipCard(clip, data, `✓ ${fate}`, null, measures(clip, null));
}

/** A clip that gave way to `kept`, which is null where that is of another workspace. */
export function memberCard(clip, kept) {
  const data = {
    class: 'dup-clip rejected',
    'data-clip': clip.clip_id,
    'data-cosine': clip.cosine,
    'data-same': clip.is_same,
  };
  const freed = el('span', { class: `freed${clip.is_freed ? '' : ' off'}` }, 'no longer near');
  return clipCard(clip, data, `✗ ${number(clip.cosine)} alike`, freed, measures(clip, kept));
}

/** What stands for a clip that the workspace does not have. */
export function elsewhereCard(id) {
  const node = el(
    'div',
    { class: 'dup-clip' },
    el('div', { class: 'frame blank' }, 'elsewhere'),
    el('b', {}, 'kept elsewhere'),
    el('small', {}, `${id}, in an earlier workspace or a block list`),
  );
  return { node, played: null };
}

function clipCard(clip, attributes, fate, ...rest) {
  const frame = frameOf(clip);
  const from = clip.is_image ? '' : `, from ${place(clip.start_s)}`;
  const node = el(
    'div',
    attributes,
    frame,
    el('b', { class: 'fate' }, fate),
    el(
      'small',
      { class: 'file', title: clip.uri },
      `${fileOf(clip.uri)}, ${clip.width} × ${clip.height}${from}`,
    ),
    rest,
  );
  return { node, played: clip.is_image ? null : { frame, id: clip.clip_id } };
}

function frameOf({ clip_id: id, is_image: isImage, duration_s: length }) {
  const picture = el('img', { loading: 'lazy', alt: '', src: address(`clips/${id}/poster`) });
  const isMissing = () => picture.replaceWith(el('span', {}, 'no picture'));
  picture.addEventListener('error', isMissing, { once: true });
  return el(
    'a',
    { class: 'frame', href: panelHref('clip', { clip: id }) },
    picture,
    el('span', { class: 'length' }, isImage ? 'image' : duration(length)),
    el('span', { class: 'unseen' }, `, clip ${id}`),
  );
}

/** The measures by which the best was chosen, in order; the one that decided is marked. */
function measures(clip, kept) {
  const names = Object.keys(clip.measures);
  if (!names.length) return null;
  return el(
    'dl',
    {},
    names.map((name) => measureRow(name, clip, kept)),
    kept &&
      !clip.decided_by && [
        el('dt', { class: 'decides' }, 'all equal'),
        el('dd', { class: 'decides' }, 'the id decided'),
      ],
  );
}

function measureRow(name, clip, kept) {
  const isLow = name.startsWith('-');
  const measure = words(isLow ? name.slice(1) : name);
  const title = isLow ? 'the lower is better' : 'the higher is better';
  const decides = name === clip.decided_by;
  return [
    el('dt', { class: decides && 'decides', title }, `${measure} ${isLow ? '↓' : '↑'}`),
    el(
      'dd',
      { class: decides && 'decides' },
      number(clip.measures[name]),
      decides && kept && el('span', {}, ` kept: ${number(kept.measures[name])}`),
    ),
  ];
}
