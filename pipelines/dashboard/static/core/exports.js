// Buttons that save what is shown: rows as CSV, a chart as SVG or PNG.

import { address } from './api.js';
import { el } from './dom.js';

const SHOWN_BY_CLASSES = ['fill', 'stroke', 'opacity', 'font-size'];

/** The buttons; `rows` and `chart` are called when one is pressed, `links` are `[label, href]`. */
export function exports({ name, rows = null, chart = null, links = [] }) {
  const save = (label, action) => el('button', { type: 'button', onclick: action }, label);
  return el(
    'div',
    { class: 'exports', role: 'group', 'aria-label': 'Save' },
    'save ',
    rows && save('CSV', () => saveFile(`${name}.csv`, 'text/csv', csv(rows()))),
    chart && save('SVG', () => saveFile(`${name}.svg`, 'image/svg+xml', svgText(chart()))),
    chart && save('PNG', () => savePng(`${name}.png`, chart())),
    links.map(([label, href]) => el('a', { href, download: '' }, label)),
  );
}

/** Links to what the server itself writes, in both of its formats; `label` is what is saved. */
export function tableLinks(label, question, params) {
  return [
    [`${label} as CSV`, address(question, { ...params, format: 'csv' })],
    [`${label} as Parquet`, address(question, { ...params, format: 'parquet' })],
  ];
}

function saveFile(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function csv(rows) {
  if (!rows.length) return '';
  const names = Object.keys(rows[0]);
  const lines = rows.map((row) => names.map((name) => cell(row[name])).join(','));
  return [names.join(','), ...lines, ''].join('\n');
}

function cell(value) {
  const text = value === null || value === undefined ? '' : String(value);
  // A cell that begins like a formula would be run by a spreadsheet.
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function svgText(chart) {
  const copy = chart.cloneNode(true);
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  const { color } = getComputedStyle(chart);
  const { backgroundColor } = getComputedStyle(document.body);
  copy.setAttribute('style', `color:${color};background:${backgroundColor};font-family:sans-serif`);
  // Classes are lost in a file: what they give is written onto the shapes.
  const from = chart.querySelectorAll('*');
  copy.querySelectorAll('*').forEach((node, place) => {
    const shown = getComputedStyle(from[place]);
    for (const name of SHOWN_BY_CLASSES) node.style.setProperty(name, shown.getPropertyValue(name));
  });
  return new XMLSerializer().serializeToString(copy);
}

async function savePng(name, chart) {
  const { width, height } = chart.getBoundingClientRect();
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(chart))}`;
  await image.decode();
  const canvas = el('canvas', { width: 2 * width, height: 2 * height });
  canvas.getContext('2d').drawImage(image, 0, 0, 2 * width, 2 * height);
  canvas.toBlob(async (blob) => saveFile(name, 'image/png', await blob.arrayBuffer()));
}
