// The filter of clips as controls.

import { el } from '../../core/dom.js';
import { count, words } from '../../core/format.js';
import { busyInFocus } from '../../core/parts.js';
import { go, href } from '../../core/state.js';
import { ORDERS } from './filter.js';

const TYPING_MS = 250;

/**
 * The controls.
 * @param {object} filter of `filterOf`
 * @param {object} choices that the server offers: `reasons`, `flags`, `concepts`
 * @param {object[]} measures that can be bounded
 * @param {function(string): void} onText told what is searched for while it is typed
 */
export function filterBar(filter, { reasons, flags, concepts }, measures, onText) {
  const ofReasons = reasons.map((one) => [one.reason, counted(words(one.reason), one)]);
  const ofConcepts = concepts.map((one) => [String(one.concept_id), counted(one.name, one)]);
  const ofFlags = flags.map((one) => [one.flag, counted(words(one.flag), one)]);
  const ofMeasures = measures.map((one) => [one.name, words(one.name)]);
  const concept = filter.concept?.[0];
  return el(
    'div',
    { class: 'card filter', role: 'search' },
    search(filter, onText),
    pick('Reason', 'reason', filter.reason, withOwn(ofReasons, filter.reason), {
      resets: { verdict: null },
    }),
    pick('Measure', 'measure', filter.measure, ofMeasures, { resets: { low: null, high: null } }),
    filter.measure && range(filter, measures),
    concepts.length > 0 && pick('Concept', 'concept', concept, withOwn(ofConcepts, concept)),
    flags.length > 0 && pick('Caption flag', 'flag', filter.flag, withOwn(ofFlags, filter.flag)),
    pick('Order', 'order', filter.order, Object.entries(ORDERS), { any: null }),
  );
}

const change = (changes) => go(href({ shown: null, ...changes }));

const counted = (name, { num }) => `${name} (${count(num)})`;

/** The options, with the one that is picked even where no clip is left of it. */
function withOwn(options, value) {
  return value === undefined || options.some(([name]) => name === value)
    ? options
    : [...options, [value, words(value)]];
}

/** A field to pick one of the options, or any. */
function pick(label, name, value, options, { any = 'any', resets = {} } = {}) {
  const onchange = (event) => change({ [name]: event.target.value || null, ...resets });
  return el(
    'label',
    {},
    label,
    el(
      'select',
      { name, onchange },
      any && el('option', { value: '' }, any),
      options.map(([option, text]) =>
        el('option', { value: option, selected: option === value }, text),
      ),
    ),
  );
}

/** The bounds of the picked measure; what all clips have stands where none is set. */
function range(filter, measures) {
  const measure = measures.find((one) => one.name === filter.measure);
  const bound = (name, label, placeholder) =>
    el('input', {
      type: 'number',
      step: 'any',
      name,
      placeholder,
      '.value': filter[name] ?? '',
      'aria-label': label,
      onchange: (event) => change({ [name]: event.target.value || null }),
    });
  return el(
    'span',
    { class: 'range' },
    bound('low', 'at least', short(measure?.least)),
    '–',
    bound('high', 'at most', short(measure?.most)),
  );
}

const short = (value) =>
  value === undefined || value === null ? '' : String(Number(value.toPrecision(3)));

function search({ text }, onText) {
  let timer = 0;
  const oninput = (event) => {
    clearTimeout(timer);
    timer = setTimeout(() => onText(event.target.value.trim()), TYPING_MS);
  };
  return el(
    'label',
    { class: 'find' },
    'Search',
    el('input', {
      type: 'search',
      name: 'text',
      'data-search': true,
      maxlength: 200,
      placeholder: 'file name, clip id or caption  ( / )',
      '.value': text ?? '',
      ...busyInFocus,
      oninput,
    }),
  );
}
