// What captioners wrote of one clip.

import { el } from '../../core/dom.js';
import { number, words } from '../../core/format.js';
import { panelHref } from '../../core/state.js';

/** One caption, with who wrote it, what it rests on, and what people said of it. */
export function captionArticle(found) {
  const { captioner, status, reason, error, caption, flags, review, facts } = found;
  if (status !== 'ok')
    return el(
      'article',
      {},
      el('h3', {}, captioner),
      el('p', {}, `${status}: ${reason ?? ''} ${error ?? ''}`),
    );
  const maker = ` ${found.model}, prompt ${found.prompt_version}, ${found.origin}`;
  return el(
    'article',
    { class: 'caption' },
    el('h3', {}, captioner, el('small', {}, maker)),
    el('blockquote', {}, caption),
    el('p', { class: 'note' }, making(found)),
    flags?.length > 0 && el('p', { class: 'flags' }, flags.map(flagLink)),
    review && el('p', { class: 'note' }, reviewText(review)),
    facts?.length > 0 && foldedFacts(facts),
  );
}

function making({ camera, camera_confidence: confidence, attempts, num_tokens: tokens }) {
  const told = camera === null ? 'not told' : `${camera} (${number(confidence)} sure)`;
  return `camera: ${told}, ${attempts} made, ${tokens} tokens`;
}

const flagLink = (flag) => el('a', { href: panelHref('examples', { flag }) }, `⚑ ${words(flag)}`);

function reviewText({ verdict, reviewer, holds, caption }) {
  const who = reviewer ? ` by ${reviewer}` : '';
  return `review: ${verdict}${who}${holds ? '' : ', of earlier words'}${caption ? `: ${caption}` : ''}`;
}

function foldedFacts(facts) {
  return el(
    'details',
    {},
    el('summary', {}, `${facts.length} facts it rests on`),
    el(
      'ul',
      {},
      facts.map((fact) => el('li', {}, fact)),
    ),
  );
}
