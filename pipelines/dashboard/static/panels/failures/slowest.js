// The files that took the most CPU time, step by step.

import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { bytes, duration, percent } from '../../core/format.js';
import { hint, table } from '../../core/parts.js';

const STEPS = ['sources', 'clips', 'scores', 'captions', 'shards', 'latents'];

/** Asks for the slowest files and draws them. */
export async function drawSlowest(section, signal) {
  const { files, total_s: total } = await ask('failures/slowest', {}, signal);
  replace(
    section,
    el('h2', {}, 'Slowest files'),
    hint(
      `CPU time that a file and its clips took in all steps; all files together ${duration(total)}.`,
    ),
    table(columns(files, total), files, { 'aria-label': 'slowest files' }),
    el(
      'p',
      { class: 'legend' },
      STEPS.map((step) => el('span', { class: step }, step)),
    ),
    exports({ name: 'slowest-files', rows: () => files }),
  );
}

function columns(files, total) {
  const most = Math.max(...files.map((file) => file.cpu_s ?? 0), 1e-9);
  return [
    { name: 'file', of: fileName },
    { name: 'CPU', num: true, of: (file) => duration(file.cpu_s) },
    { name: el('span', { class: 'unseen' }, 'share'), of: (file) => spentBar(file, most) },
    { name: 'of all', num: true, of: (file) => percent((file.cpu_s ?? 0) / total) },
    { name: 'length', num: true, of: (file) => duration(file.duration_s) },
    { name: 'CPU per second', num: true, of: pace },
    { name: 'size', num: true, of: (file) => bytes(file.size_bytes) },
  ];
}

const fileName = ({ uri }) => el('code', { class: 'file', title: uri }, uri.split('/').at(-1));

const pace = (file) => (file.duration_s ? duration(file.cpu_s / file.duration_s) : '–');

function spentBar(file, most) {
  const told = STEPS.filter((step) => file[step])
    .map((step) => `${step} ${duration(file[step])}`)
    .join(', ');
  const part = (step) =>
    el('i', { class: step, style: `width:${(100 * (file[step] ?? 0)) / most}%` });
  const attributes = { class: 'spent', role: 'img', 'aria-label': told, title: told };
  return el('span', attributes, STEPS.map(part));
}
