// Pieces that several panels show.

import { el } from './dom.js';

const SAID_MS = 4000;
let saidTimer = 0;

/** What stands where something is still being asked. */
export const waiting = () => el('p', { class: 'waiting', 'aria-busy': 'true' }, 'Asking …');

/** What went wrong, in the server's words. */
export function errorBox(error) {
  return el(
    'section',
    { class: 'state bad', role: 'alert' },
    el('h2', {}, 'That did not work'),
    el('p', {}, error.message),
  );
}

/** What stands where there is nothing to show, with what to do about it. */
export function emptyState(title, text, command = null) {
  return el(
    'section',
    { class: 'state' },
    el('h2', {}, title),
    el('p', {}, text),
    command && copyable(command),
  );
}

/** Text with a button that copies it. */
export function copyable(text, label = 'Copy') {
  const copy = async () => {
    await navigator.clipboard?.writeText(text);
    say('copied');
  };
  const button = el('button', { type: 'button', class: 'copy', onclick: copy }, label);
  return el('div', { class: 'copyable' }, el('pre', { tabindex: 0 }, text), button);
}

/** Says something to everyone, screen readers included, for a few seconds. */
export function say(text) {
  const place = document.getElementById('said');
  place.textContent = text;
  clearTimeout(saidTimer);
  saidTimer = setTimeout(() => {
    place.textContent = '';
  }, SAID_MS);
}

/** A number with its name, such as the clips that are kept. */
export function figure(name, value, note = null, attributes = {}) {
  return el(
    'div',
    { class: 'figure', ...attributes },
    el('span', { class: 'name' }, name),
    el('strong', {}, value),
    note && el('span', { class: 'note' }, note),
  );
}

/**
 * A table. `columns` are `{ name, of: (row) => text or node, num: is it a number }`.
 * It scrolls sideways by itself where it is too wide.
 */
export function table(columns, rows, attributes = {}) {
  const cells = (row) => columns.map(({ num, of }) => el('td', { class: num && 'num' }, of(row)));
  const names = columns.map(({ num, name }) =>
    el('th', { class: num && 'num', scope: 'col' }, name),
  );
  return scroller(
    attributes['aria-label'] ?? 'table',
    el(
      'table',
      attributes,
      el('thead', {}, el('tr', {}, names)),
      el(
        'tbody',
        {},
        rows.map((row) => el('tr', {}, cells(row))),
      ),
    ),
  );
}

/** What may be too wide for the page: it scrolls sideways by itself, by keyboard too. */
export function scroller(label, child) {
  return el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label }, child);
}

/** A part of a panel under its title. */
export const card = (title, ...children) =>
  el('section', { class: 'card' }, el('h2', {}, title), children);

/** The same, listed among the page's regions by its title. */
export const namedCard = (title, ...children) =>
  el('section', { class: 'card', 'aria-label': title }, el('h2', {}, title), children);

/** What explains a part, smaller than the rest. */
export const hint = (...children) => el('p', { class: 'hint' }, children);

/** Attributes of a field: while someone is in it, the panel is not drawn anew. */
export const busyInFocus = {
  onfocus: (event) => event.target.classList.add('busy'),
  onblur: (event) => event.target.classList.remove('busy'),
};
