// Pieces that several panels show.

import { address } from './api.js';
import { el } from './dom.js';
import { duration, number, words } from './format.js';
import { panelHref } from './state.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');
let looked = 0;

/** What stands where something is still being asked. */
export const waiting = () => el('p', { class: 'waiting', 'aria-busy': 'true' }, 'Asking …');

/** What went wrong, in the server's words. */
export function errorBox(error) {
  return el('section', { class: 'state bad', role: 'alert' },
    el('h2', {}, 'That did not work'), el('p', {}, error.message));
}

/** What stands where there is nothing to show, with what to do about it. */
export function emptyState(title, text, command = null) {
  return el('section', { class: 'state' }, el('h2', {}, title), el('p', {}, text), command && copyable(command));
}

/** Text with a button that copies it. */
export function copyable(text, label = 'Copy') {
  const button = el('button', { type: 'button', class: 'copy', onclick: async () => {
    await navigator.clipboard?.writeText(text);
    say('copied');
  } }, label);
  return el('div', { class: 'copyable' }, el('pre', { tabindex: 0 }, text), button);
}

/** Says something to everyone, screen readers included, for a few seconds. */
export function say(text) {
  const place = document.getElementById('said');
  place.textContent = text;
  clearTimeout(looked);
  looked = setTimeout(() => { place.textContent = ''; }, 4000);
}

/** A number with its name, such as the clips that are kept. */
export function figure(name, value, note = null, attributes = {}) {
  return el('div', { class: 'figure', ...attributes }, el('span', { class: 'name' }, name),
    el('strong', {}, value), note && el('span', { class: 'note' }, note));
}

/**
 * A table. `columns` are `{ name, of: (row) => text or node, num: is it a number }`.
 * It scrolls sideways by itself where it is too wide.
 */
export function table(columns, rows, attributes = {}) {
  return el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': attributes['aria-label'] ?? 'table' },
    el('table', attributes,
      el('thead', {}, el('tr', {}, columns.map((column) => el('th', { class: column.num && 'num', scope: 'col' }, column.name)))),
      el('tbody', {}, rows.map((row) => el('tr', {}, columns.map((column) => el('td', { class: column.num && 'num' }, column.of(row))))))));
}

/** Buttons that save what is shown: rows as CSV, a chart as SVG and PNG, and further links. */
export function exports({ name, rows = null, chart = null, links = [] }) {
  const save = (label, action) => el('button', { type: 'button', onclick: action }, label);
  return el('div', { class: 'exports', role: 'group', 'aria-label': 'Save' }, 'save ',
    rows && save('CSV', () => saveFile(`${name}.csv`, 'text/csv', csv(rows()))),
    chart && save('SVG', () => saveFile(`${name}.svg`, 'image/svg+xml', svgText(chart()))),
    chart && save('PNG', () => savePng(`${name}.png`, chart())),
    links.map(([label, href]) => el('a', { href, download: '' }, label)));
}

function saveFile(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function csv(rows) {
  if (!rows.length) return '';
  const names = Object.keys(rows[0]);
  // A cell that begins like a formula would be run by a spreadsheet.
  const cell = (value) => {
    const text = value === null || value === undefined ? '' : String(value);
    const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [names.join(','), ...rows.map((row) => names.map((one) => cell(row[one])).join(','))].join('\n') + '\n';
}

function svgText(chart) {
  const copy = chart.cloneNode(true);
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  const style = getComputedStyle(chart);
  copy.setAttribute('style', `color:${style.color};background:${getComputedStyle(document.body).backgroundColor};font-family:sans-serif`);
  // Classes are lost in a file: what they give is written onto the shapes.
  const from = chart.querySelectorAll('*');
  copy.querySelectorAll('*').forEach((node, place) => {
    const shown = getComputedStyle(from[place]);
    for (const name of ['fill', 'stroke', 'opacity', 'font-size']) node.style.setProperty(name, shown.getPropertyValue(name));
  });
  return new XMLSerializer().serializeToString(copy);
}

function savePng(name, chart) {
  const { width, height } = chart.getBoundingClientRect();
  const image = new Image();
  image.onload = () => {
    const canvas = el('canvas', { width: 2 * width, height: 2 * height });
    canvas.getContext('2d').drawImage(image, 0, 0, 2 * width, 2 * height);
    canvas.toBlob(async (blob) => saveFile(name, 'image/png', await blob.arrayBuffer()));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(chart))}`;
}

/** A clip as a tile: its picture, which plays under the pointer or the keyboard; a click opens it. */
export function tile(clip, { measure = null, subset = null } = {}) {
  const picture = el('img', { loading: 'lazy', alt: '', src: address(`clips/${clip.clip_id}/poster`) });
  picture.addEventListener('error', () => picture.replaceWith(el('div', { class: 'blank' }, 'no picture')), { once: true });
  const frame = el('div', { class: 'frame' }, picture, !clip.is_image && el('span', { class: 'length' }, duration(clip.duration_s)));
  const link = el('a', { class: `tile ${clip.verdict === 'ok' ? 'kept' : 'rejected'}`, href: panelHref('clip', { clip: clip.clip_id, subset }), 'data-clip': clip.clip_id },
    frame,
    el('span', { class: 'why' }, clip.verdict === 'ok' ? 'kept' : words(clip.reason ?? clip.verdict ?? '')),
    measure && el('span', { class: 'value' }, `${words(measure)} ${number(clip.value)}`));
  if (!clip.is_image) playsOnHover(link, frame, clip.clip_id);
  return link;
}

function playsOnHover(link, frame, clipId) {
  let video = null;
  let timer = 0;
  const start = () => {
    if (calm.matches) return;
    timer = setTimeout(() => {
      video = el('video', { muted: true, loop: true, playsinline: true, '.muted': true, src: address(`clips/${clipId}/video`) });
      video.addEventListener('error', () => { video?.remove(); video = null; });
      frame.append(video);
      video.play().catch(() => {});
    }, 180);
  };
  const stop = () => {
    clearTimeout(timer);
    video?.remove();
    video = null;
  };
  link.addEventListener('pointerenter', start);
  link.addEventListener('pointerleave', stop);
  link.addEventListener('focus', start);
  link.addEventListener('blur', stop);
}
