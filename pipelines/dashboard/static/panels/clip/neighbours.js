// The clips around one: of its video, those that show the same, and those that look alike.

import { el } from '../../core/dom.js';
import { count, place } from '../../core/format.js';
import { namedCard } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';
import { tile } from '../../core/tiles.js';
import { arrowKeys } from '../../core/tile_keys.js';

/** A card for each kind of neighbour that there is. */
export function neighbours({ video, same, alike, concept }, clip, subset) {
  return [
    ofVideo(video, clip, subset),
    same.clips.length > 0 && showingTheSame(same, clip, subset),
    alike && lookingAlike(alike, concept, clip, subset),
  ];
}

function ofVideo({ clips, num }, clip, subset) {
  const all = { video: clip.video_id, order: 'time' };
  return namedCard(
    'Of the same video',
    el('p', {}, examplesLink(all, subset, `${count(num)} clips`)),
    tiles(clips, clip, { subset }),
  );
}

function showingTheSame({ clips, num, kept }, clip, subset) {
  return namedCard(
    'Shows the same',
    el(
      'p',
      {},
      `${count(num)} clips; the first is kept, the others are rejected for it. `,
      examplesLink({ duplicate_of: kept }, subset, 'All of them'),
    ),
    tiles(clips, clip, { subset, measure: 'cosine' }),
  );
}

function lookingAlike({ clips }, concept, clip, subset) {
  return namedCard(
    'Looks alike, in other videos',
    el(
      'p',
      {},
      clips.length > 0 ? 'The likest first, by what the concept model sees. ' : 'None. ',
      concept && ofConcept(concept, subset),
    ),
    tiles(clips, clip, { subset, measure: 'cosine' }),
  );
}

const ofConcept = ({ concept_id: concept, name, num }, subset) =>
  examplesLink({ concept }, subset, `${count(num)} clips of concept ${name}`);

const examplesLink = (filter, subset, text) =>
  el('a', { href: panelHref('examples', { ...filter, subset }) }, text);

function tiles(clips, clip, options) {
  const grid = el(
    'div',
    { class: 'tiles small' },
    clips.map((one) => neighbour(one, one.clip_id === clip.clip_id, options)),
  );
  arrowKeys(grid);
  return grid;
}

function neighbour(clip, isItself, options) {
  const { clip_id: id, start_s: start, end_s: end } = clip;
  const link = tile(clip, options);
  link.append(el('span', { class: 'unseen' }, `, clip ${id}`));
  if (isItself) link.setAttribute('aria-current', 'true');
  else if (start !== undefined) link.title = `${place(start)} to ${place(end)}`;
  return link;
}
