// All of one clip: to play, what it measures, how it was decided, what was made of it, what is near.

import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { emptyState, errorBox, hint, namedCard, waiting } from '../../core/parts.js';
import { panelHref } from '../../core/state.js';
import { cameraPath } from './camera.js';
import { captionArticle } from './captions.js';
import { decisions } from './decisions.js';
import { clipHead, clipSource, facts } from './head.js';
import { lineage } from './lineage.js';
import { measureList, savedMeasures } from './measures.js';
import { neighbours } from './neighbours.js';
import { ClipPlayer } from './player.js';
import { seenByModels } from './seen.js';
import { listenToSteps, listSteps, videoSteps } from './steps.js';

/** Draws the panel; may return what is to be done when it is left. */
export async function draw(body, { state: wanted, signal }) {
  if (!wanted.clip) {
    replace(
      body,
      emptyState('No clip is picked', 'Pick one among the examples.'),
      el('p', {}, el('a', { href: panelHref('examples') }, 'Examples')),
    );
    return;
  }
  const { subset } = wanted;
  const asked = { clip_id: wanted.clip, subset, rule: wanted.rule };
  const clip = await ask('clip', asked, signal);
  const places = {
    player: new ClipPlayer(clip, wanted.of),
    steps: el('nav', { class: 'row steps-around', 'aria-label': 'Other clips' }),
    near: el('div', { class: 'body' }, waiting()),
    camera: el('div', {}, waiting()),
    lineage: el('div', {}, waiting()),
  };
  replace(body, contents(clip, subset, places));
  listenToSteps(places.steps, signal);
  replace(places.steps, listSteps(wanted.clip, subset));
  const isSelected = subset && clip.subsets.some((one) => one.subset === subset);
  if (!isSelected) replace(places.near);
  await Promise.all([
    part(places.camera, 'clip/stored', asked, signal, (stored) => {
      places.player.showFrames(stored.frames);
      replace(places.camera, cameraPath(clip, stored.camera_path, places.camera.clientWidth));
      replace(places.lineage, lineage(clip, stored.lineage));
    }),
    isSelected &&
      part(places.near, 'clip/neighbours', asked, signal, (found) => {
        replace(places.near, neighbours(found, clip, subset));
        replace(places.steps, listSteps(wanted.clip, subset), videoSteps(found.video, subset));
      }),
  ]);
}

/** Asks for what comes later; what was refused is said in its own place. */
async function part(place, question, asked, signal, show) {
  try {
    show(await ask(question, asked, signal));
  } catch (error) {
    if (error.name !== 'AbortError' && !signal.aborted) replace(place, errorBox(error));
  }
}

function contents(clip, subset, { player, steps, near, camera, lineage: line }) {
  return [
    clipHead(clip, steps),
    el(
      'div',
      { class: 'clip-columns' },
      el('div', { class: 'body' }, player.element, clipSource(clip)),
      namedCard('Decisions', decisions(clip, subset)),
    ),
    el(
      'div',
      { class: 'columns' },
      namedCard(
        'Captions',
        captions(clip),
        el('h3', {}, 'What models see'),
        seenByModels(clip.scores),
      ),
      namedCard('Camera', camera),
    ),
    namedCard(
      'Measures',
      clip.measures.length ? measureList(clip.measures) : hint('No subset is picked.'),
      facts(clip.facts),
    ),
    near,
    namedCard('Lineage', line),
    exports({ name: `clip-${clip.clip_id}`, rows: () => savedMeasures(clip) }),
  ];
}

const captions = (clip) =>
  clip.captions.length ? clip.captions.map(captionArticle) : hint('No captioner was given it.');
