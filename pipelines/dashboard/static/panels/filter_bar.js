// The filter of the URL as controls to change it, and as chips to take its parts away.

import { el } from '../core/dom.js';
import { count, words } from '../core/format.js';
import { go, href } from '../core/state.js';

/** The fields of a filter, as the server knows them, without subset, rules and order. */
export const FIELDS = ['verdict', 'reason', 'outcome', 'measure', 'low', 'high', 'concept', 'duplicate_of', 'video', 'flag', 'text'];

const OUTCOMES = { kept: 'stays kept', gained: 'comes back', lost: 'goes', unknown: 'never scored' };
const ORDERS = { near: 'nearest to a threshold', random: 'random', best: 'most of the measure', worst: 'least of the measure', time: 'video and time' };
const TYPING_MS = 250;

/** The part of the state that is the filter of clips. */
export function filterOf(state) {
  const found = { subset: state.subset, rule: state.rule, order: state.order in ORDERS ? state.order : 'near' };
  for (const name of FIELDS) if (state[name] !== undefined) found[name] = state[name];
  return found;
}

/**
 * The controls.
 * @param {object} filter of `filterOf`
 * @param {object} choices that the server offers: `reasons`, `flags`, `concepts`
 * @param {object[]} measures that can be bounded
 * @param {function(string): void} onText told what is searched for while it is typed
 */
export function filterBar(filter, choices, measures, onText) {
  const change = (changes) => go(href({ shown: null, ...changes }));
  return el('div', { class: 'card filter', role: 'search' },
    search(filter, onText),
    pick('Reason', 'reason', filter.reason, reasonOptions(choices.reasons, filter), (value) => change({ reason: value, verdict: null })),
    pick('Measure', 'measure', filter.measure, measures.map((one) => [one.name, words(one.name)]), (value) => change({ measure: value, low: null, high: null })),
    filter.measure && range(filter, measures.find((one) => one.name === filter.measure), change),
    choices.concepts.length > 0 && pick('Concept', 'concept', filter.concept?.[0], withOwn(choices.concepts.map((one) => [String(one.concept_id), `${one.name} (${count(one.num)})`]), filter.concept?.[0]), (value) => change({ concept: value })),
    choices.flags.length > 0 && pick('Caption flag', 'flag', filter.flag, withOwn(choices.flags.map((one) => [one.flag, `${words(one.flag)} (${count(one.num)})`]), filter.flag), (value) => change({ flag: value })),
    pick('Order', 'order', filter.order, Object.entries(ORDERS), (value) => change({ order: value }), null));
}

function reasonOptions(reasons, { reason }) {
  return withOwn(reasons.map((one) => [one.reason, `${words(one.reason)} (${count(one.num)})`]), reason);
}

/** The options, with the one that is picked even where no clip is left of it. */
function withOwn(options, value) {
  return value === undefined || options.some(([name]) => name === value) ? options : [...options, [value, words(value)]];
}

function pick(label, name, value, options, onPick, any = 'any') {
  return el('label', {}, label, el('select', { name, onchange: (event) => onPick(event.target.value || null) },
    any && el('option', { value: '' }, any),
    options.map(([option, text]) => el('option', { value: option, selected: option === value }, text))));
}

function range(filter, measure, change) {
  const bound = (name, placeholder) => el('input', {
    type: 'number', step: 'any', name, placeholder, '.value': filter[name] ?? '', 'aria-label': name === 'low' ? 'at least' : 'at most',
    onchange: (event) => change({ [name]: event.target.value || null }),
  });
  return el('span', { class: 'range' }, bound('low', short(measure?.least)), '–', bound('high', short(measure?.most)));
}

const short = (value) => (value === undefined || value === null ? '' : String(Number(value.toPrecision(3))));

function search(filter, onText) {
  let timer = 0;
  return el('label', { class: 'find' }, 'Search', el('input', {
    type: 'search', name: 'text', 'data-search': true, maxlength: 200, placeholder: 'file name, clip id or caption  ( / )', '.value': filter.text ?? '',
    onfocus: (event) => event.target.classList.add('busy'),
    onblur: (event) => event.target.classList.remove('busy'),
    oninput: (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => onText(event.target.value.trim()), TYPING_MS);
    },
  }));
}

/** What the filter consists of, each part with a link that takes it away. */
export function chips(filter, choices) {
  const without = (changes) => href({ shown: null, ...changes });
  const found = [];
  const add = (text, changes) => found.push(el('a', { class: 'chip', href: without(changes), 'aria-label': `remove: ${text}` }, text, el('span', { 'aria-hidden': 'true' }, ' ×')));
  if (filter.verdict) add(filter.verdict, { verdict: null });
  if (filter.reason) add(`by ${words(filter.reason)}`, { reason: null });
  if (filter.outcome) add(`${OUTCOMES[filter.outcome] ?? filter.outcome}, with the rules changed`, { outcome: null });
  if (filter.measure) add(measureText(filter), { measure: null, low: null, high: null });
  for (const one of filter.concept ?? []) add(`concept ${choices.concepts.find((known) => String(known.concept_id) === one)?.name ?? one}`, { concept: filter.concept.filter((other) => other !== one) });
  if (filter.duplicate_of) add(`duplicates of ${filter.duplicate_of}`, { duplicate_of: null });
  if (filter.video) add(`video ${filter.video}`, { video: null });
  if (filter.flag) add(`caption: ${words(filter.flag)}`, { flag: null });
  if (filter.text) add(`“${filter.text}”`, { text: null });
  for (const one of filter.rule) add(`rule changed: ${ruleText(one)}`, { rule: filter.rule.filter((other) => other !== one) });
  const none = Object.fromEntries([...FIELDS, 'rule'].map((name) => [name, null]));
  return [...found, found.length > 1 && el('a', { class: 'chip all', href: without(none) }, 'remove all')];
}

const measureText = ({ measure, low, high }) => `${words(measure)}${boundsText(low, high)}`;

function ruleText(text) {
  const [name, min, max] = text.split(':');
  return `${words(name)}${boundsText(min, max) || ' off'}`;
}

function boundsText(low, high) {
  if (low && high) return ` ${low} to ${high}`;
  return low ? ` at least ${low}` : high ? ` at most ${high}` : '';
}
