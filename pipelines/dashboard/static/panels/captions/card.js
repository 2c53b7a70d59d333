// One caption beside its clip, with the verdict on it.

import { post } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { time } from '../../core/format.js';
import { busyInFocus, say } from '../../core/parts.js';
import { captionContext, captionHead, otherCaption, REVIEWS } from './context.js';
import { CaptionPlayer } from './player.js';

const MOST_CAPTION = 2000;
const MOST_NOTE = 1000;

/** A caption that can be judged. */
export class CaptionCard {
  /**
   * `judged(before, after)` is called when a verdict is stored, `next(card)` to go on.
   */
  constructor(caption, { judged, next }) {
    Object.assign(this, { caption: { ...caption }, written: caption.caption, judged, next });
    this.player = new CaptionPlayer(caption);
    this.status = el('p', { class: 'verdict', role: 'status' });
    this.text = el('div', { class: 'caption-text' });
    this.failure = el('p', { class: 'bad', role: 'alert' });
    this.note = this.noteInput();
    this.buttons = ['accept', 'reject', 'edit'].map((verdict) => this.button(verdict));
    this.node = this.article();
    this.show();
  }

  article() {
    const { clip_id: id, captioner, others } = this.caption;
    return el(
      'div',
      {
        class: 'card caption-card',
        role: 'listitem',
        tabindex: 0,
        'data-clip': id,
        'data-captioner': captioner,
        'aria-label': `caption of ${id} by ${captioner}`,
      },
      this.player.node,
      el(
        'div',
        { class: 'caption-body' },
        captionHead(this.caption),
        el(
          'div',
          { class: 'caption-pair' },
          this.text,
          others.map((other) => otherCaption(other, this.caption)),
        ),
        captionContext(this.caption),
        this.status,
        this.failure,
        el('div', { class: 'row verdicts' }, this.buttons, this.note),
      ),
    );
  }

  button(verdict) {
    const onclick = () => (verdict === 'edit' ? this.edit() : this.judge(verdict));
    return el('button', { type: 'button', 'data-verdict': verdict, onclick }, verdict);
  }

  noteInput() {
    return el('input', {
      type: 'text',
      class: 'note-field',
      maxlength: MOST_NOTE,
      placeholder: 'note (optional)',
      'aria-label': 'Note',
      '.value': this.caption.note ?? '',
      ...busyInFocus,
      onkeydown: (event) => {
        if (event.key === 'Escape' || event.key === 'Enter') this.node.focus();
      },
    });
  }

  /** Goes into the note. */
  noteField() {
    this.note.focus();
  }

  /** Plays the clip, or stops it. */
  play() {
    this.player.play();
  }

  /** Shows the words and the verdict as they are now. */
  show() {
    const { caption, review, edited, judged, reviewer, reviewed_at: at, note } = this.caption;
    const isEdited = review === 'edit' && edited;
    this.node.dataset.review = review;
    replace(
      this.text,
      el('p', { class: isEdited ? 'replaced' : 'said' }, caption || '(empty)'),
      isEdited && el('p', { class: 'said' }, edited),
      review === 'outdated' && el('p', { class: 'hint' }, `What was reviewed: ${judged}`),
    );
    replace(
      this.status,
      REVIEWS[review],
      at && `${reviewer ? ` by ${reviewer}` : ''}, ${time(at)}`,
      note && `: ${note}`,
    );
    for (const button of this.buttons)
      button.setAttribute('aria-pressed', String(button.dataset.verdict === review));
  }

  /** Stores a verdict, and goes on to the next card. */
  async judge(verdict, edited = null) {
    this.failure.textContent = '';
    this.node.classList.add('busy');
    try {
      await this.store(verdict, edited);
    } catch (error) {
      this.failure.textContent = error.message;
    } finally {
      this.node.classList.remove('busy');
    }
  }

  async store(verdict, edited) {
    const { clip_id, captioner, review: before } = this.caption;
    const stored = await post('captions/review', {
      clip_id,
      captioner,
      verdict,
      reviewed: this.written,
      caption: edited,
      note: this.note.value.trim() || null,
      reviewer: document.getElementById('reviewer')?.value.trim() || null,
    });
    Object.assign(this.caption, stored);
    this.show();
    this.judged(before, this.caption.review);
    say(`${REVIEWS[verdict]}: stored`);
    this.next(this);
    // What had the focus may be gone, as the field of an edit is.
    if (document.activeElement === document.body) this.node.focus();
  }

  /** Puts a field for other words in the place of the caption. */
  edit() {
    const { caption, review, edited } = this.caption;
    const cancel = () => {
      this.show();
      this.node.focus();
    };
    const save = () => this.judge('edit', area.value);
    const area = el('textarea', {
      class: 'busy',
      rows: 4,
      maxlength: MOST_CAPTION,
      'aria-label': 'Edited caption',
      '.value': review === 'edit' && edited ? edited : caption,
      onkeydown: (event) => {
        if (event.key === 'Escape') cancel();
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save();
      },
    });
    replace(
      this.text,
      el('p', { class: 'hint' }, caption),
      area,
      el(
        'div',
        { class: 'row' },
        el('button', { type: 'button', class: 'main', onclick: save }, 'save'),
        el('button', { type: 'button', onclick: cancel }, 'cancel'),
        el('span', { class: 'hint' }, 'Ctrl + Enter saves, Escape leaves'),
      ),
    );
    area.focus();
  }
}
