// Which two decisions are compared, each with who made it.

import { el } from '../../core/dom.js';
import { time } from '../../core/format.js';
import { go, href } from '../../core/state.js';

const NO_CELL = { was: null, now: null, page: null };

/** Both sides with what swaps them. */
export function pickers({ decisions, a, b }) {
  const swap = el(
    'a',
    {
      class: 'swap',
      href: href({ a: b?.name, b: a?.name, ...NO_CELL }),
      title: 'swap A and B',
      'aria-label': 'swap A and B',
    },
    '⇄',
  );
  const pickA = (name) => go(href({ a: name, b: b?.name, ...NO_CELL }));
  const pickB = (name) => go(href({ b: name, a: a?.name, ...NO_CELL }));
  return el(
    'div',
    { class: 'pickers' },
    side('a', decisions, a, pickA),
    swap,
    side('b', decisions, b, pickB),
  );
}

function side(letter, decisions, picked, onPick) {
  const name = letter.toUpperCase();
  return el(
    'div',
    { class: 'card side' },
    el(
      'label',
      { class: 'row' },
      el('b', { class: `mark ${letter}` }, name),
      el(
        'select',
        { 'aria-label': `decision ${name}`, onchange: (event) => onPick(event.target.value) },
        !picked && el('option', { value: '', selected: true }, 'choose …'),
        decisions.map((one) => option(one, one.name === picked?.name)),
      ),
    ),
    picked && about(picked),
  );
}

function option(decision, selected) {
  const verb = decision.command.split(' ').slice(1, 2).join('') || 'decided';
  return el(
    'option',
    { value: decision.name, selected },
    `${decision.name} · ${time(decision.time)} · ${verb}`,
  );
}

function about({ run, recipe, code, command }) {
  const line = (name, ...value) => [el('dt', {}, name), el('dd', {}, value)];
  return el(
    'dl',
    {},
    line('run', run || 'not told'),
    line('recipe', el('code', {}, recipe || 'not told')),
    line('Moviola', code || 'not told'),
    line('command', el('code', { class: 'command' }, command || 'not told')),
  );
}
