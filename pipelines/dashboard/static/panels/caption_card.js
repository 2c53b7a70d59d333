// One caption beside its clip, with the verdict on it.

import { address, post } from '../core/api.js';
import { el, replace } from '../core/dom.js';
import { duration, percent, place, time, words } from '../core/format.js';
import { say } from '../core/parts.js';
import { href, panelHref } from '../core/state.js';

const FRAMES = 4;
const SAID = { accept: '✓ accepted', reject: '✗ rejected', edit: '✎ edited', none: 'not reviewed', outdated: 'written again since it was reviewed' };
const MOST_CAPTION = 2000;
const MOST_NOTE = 1000;

/**
 * A caption that can be judged: `{ node, judge(verdict), edit(), noteField(), play() }`.
 * `judged(before, after)` is called when a verdict is stored, `next(card)` to go on.
 */
export function captionCard(caption, { judged, next }) {
  const state = { ...caption };
  const status = el('p', { class: 'verdict', role: 'status' });
  const text = el('div', { class: 'caption-text' });
  const failure = el('p', { class: 'bad', role: 'alert' });
  const note = el('input', { type: 'text', class: 'note-field', maxlength: MOST_NOTE, placeholder: 'note (optional)', 'aria-label': 'Note', '.value': state.note ?? '',
    onfocus: () => note.classList.add('busy'), onblur: () => note.classList.remove('busy'),
    onkeydown: (event) => { if (event.key === 'Escape' || event.key === 'Enter') node.focus(); } });
  const media = player(state);
  const node = el('article', { class: 'card caption-card', role: 'listitem', tabindex: 0, 'data-clip': state.clip_id, 'data-captioner': state.captioner, 'aria-label': `caption of ${state.clip_id} by ${state.captioner}` },
    media.node,
    el('div', { class: 'caption-body' },
      el('div', { class: 'row caption-head' },
        el('b', {}, state.captioner), el('span', { class: 'hint' }, `${state.model}, prompt ${state.prompt_version}, ${state.origin}`),
        el('a', { href: panelHref('clip', { clip: state.clip_id }), title: state.uri }, `${(state.uri ?? state.clip_id).split('/').pop()}${state.is_image ? '' : `, from ${place(state.start_s ?? 0)}`}`)),
      el('div', { class: 'caption-pair' }, text, state.others.map((other) => otherCaption(other, state))),
      state.flags.length > 0 && el('p', { class: 'row' }, state.flags.map((flag) => el('a', { class: 'flag', href: href({ flag, page: null }) }, words(flag)))),
      el('p', { class: 'hint' }, state.camera ? `camera: ${state.camera}, ${percent(state.camera_confidence)} sure` : 'no camera (an image)',
        `; ${state.num_words} words${state.attempts > 1 ? `; written ${state.attempts} times` : ''}`),
      state.facts?.length > 0 && el('details', {}, el('summary', {}, `rests on ${state.facts.length} facts`), el('ul', { class: 'facts' }, state.facts.map(factLine))),
      status, failure,
      el('div', { class: 'row verdicts' },
        el('button', { type: 'button', 'data-verdict': 'accept', onclick: () => judge('accept') }, 'accept'),
        el('button', { type: 'button', 'data-verdict': 'reject', onclick: () => judge('reject') }, 'reject'),
        el('button', { type: 'button', 'data-verdict': 'edit', onclick: () => edit() }, 'edit'),
        note)));
  const card = { node, judge, edit, noteField: () => note.focus(), play: media.play };
  show();

  function show() {
    const isEdited = state.review === 'edit' && state.edited;
    node.dataset.review = state.review;
    replace(text, el('p', { class: isEdited ? 'replaced' : 'said' }, state.caption || '(empty)'),
      isEdited && el('p', { class: 'said' }, state.edited),
      state.review === 'outdated' && el('p', { class: 'hint' }, `What was reviewed: ${state.judged}`));
    const who = state.reviewer ? ` by ${state.reviewer}` : '';
    replace(status, SAID[state.review], state.reviewed_at && `${who}, ${time(state.reviewed_at)}`, state.note && `: ${state.note}`);
    node.querySelectorAll('[data-verdict]').forEach((button) => button.setAttribute('aria-pressed', String(button.dataset.verdict === state.review)));
  }

  async function judge(verdict, edited = null) {
    failure.textContent = '';
    const reviewer = document.getElementById('reviewer')?.value.trim() || null;
    node.classList.add('busy');
    try {
      const stored = await post('captions/review', { clip_id: state.clip_id, captioner: state.captioner, verdict, reviewed: caption.caption, caption: edited, note: note.value.trim() || null, reviewer });
      const before = state.review;
      Object.assign(state, stored);
      show();
      judged(before, state.review);
      say(`${SAID[verdict]}: stored`);
      next(card);
      return true;
    } catch (error) {
      failure.textContent = error.message;
      return false;
    } finally {
      node.classList.remove('busy');
    }
  }

  function edit() {
    const area = el('textarea', { class: 'busy', rows: 4, maxlength: MOST_CAPTION, 'aria-label': 'Edited caption', '.value': state.review === 'edit' && state.edited ? state.edited : state.caption,
      onkeydown: (event) => {
        if (event.key === 'Escape') cancel();
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save();
      } });
    const cancel = () => { show(); node.focus(); };
    const save = () => judge('edit', area.value);
    replace(text, el('p', { class: 'hint' }, state.caption), area,
      el('div', { class: 'row' }, el('button', { type: 'button', class: 'main', onclick: save }, 'save'), el('button', { type: 'button', onclick: cancel }, 'cancel'), el('span', { class: 'hint' }, 'Ctrl + Enter saves, Escape leaves')));
    area.focus();
  }

  return card;
}

/** What another captioner wrote of the same clip. */
function otherCaption(other, { clip_id: clip, caption }) {
  return el('div', { class: 'other' },
    el('p', {}, el('b', {}, other.captioner), ' ', el('small', {}, SAID[other.review])),
    other.caption === caption ? el('p', { class: 'hint' }, 'the same words') : el('p', {}, other.caption || '(empty)'),
    other.flags.length > 0 && el('small', {}, `flags: ${other.flags.map(words).join(', ')} `),
    el('a', { href: href({ clip, captioner: other.captioner, reviewed: null, flag: null, words: null, text: null, page: null }) }, 'review this one'));
}

/** `kind: numbers`, the kind in words. */
function factLine(fact) {
  const [kind, ...rest] = fact.split(': ');
  return el('li', {}, el('b', {}, words(kind)), ` ${rest.join(': ')}`);
}

/** The clip's picture, which a click plays, and its stored frames: what the captioner saw. */
function player({ clip_id: id, is_image: isImage, duration_s: seconds }) {
  const poster = (params, alt) => {
    const image = el('img', { loading: 'lazy', alt, src: address(`clips/${id}/poster`, params) });
    image.addEventListener('error', () => image.remove(), { once: true });
    return image;
  };
  const middle = poster({ height: 240 }, 'the middle frame');
  middle.addEventListener('error', () => stage.prepend(el('span', {}, 'no picture')), { once: true });
  const stage = el('div', { class: 'stage' }, middle);
  const button = el('button', { type: 'button', class: 'play', 'aria-label': 'play the clip' }, `▶ ${duration(seconds)}`);
  const play = () => {
    if (isImage) return;
    const old = stage.querySelector('video');
    if (old) {
      if (old.paused) old.play().catch(() => {});
      else old.pause();
      return;
    }
    const video = el('video', { muted: true, '.muted': true, loop: true, controls: true, playsinline: true, src: address(`clips/${id}/video`) });
    video.addEventListener('error', () => {
      video.remove();
      button.textContent = 'cannot be played';
      button.hidden = false;
    });
    button.hidden = true;
    stage.append(video);
    video.play().catch(() => {});
  };
  button.addEventListener('click', play);
  if (!isImage) stage.append(button);
  const frames = isImage ? null : el('div', { class: 'strip' }, Array.from({ length: FRAMES }, (_, frame) => poster({ frame, height: 90 }, `stored frame ${frame + 1}`)));
  return { node: el('div', { class: 'caption-media' }, stage, frames), play };
}
