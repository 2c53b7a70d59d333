// The filter of clips as chips, each with a link that takes it away.

import { el } from '../../core/dom.js';
import { words } from '../../core/format.js';
import { href } from '../../core/state.js';
import { FIELDS } from './filter.js';

const OUTCOMES = {
  kept: 'stays kept',
  gained: 'comes back',
  lost: 'goes',
  unknown: 'never scored',
};

/** What the filter consists of; `choices` tell the names of concepts. */
export function chips(filter, choices) {
  const found = parts(filter, choices)
    .filter(([value]) => value)
    .map(([, text, changes]) => chip(text, changes));
  const none = Object.fromEntries([...FIELDS, 'rule'].map((name) => [name, null]));
  return [
    found,
    found.length > 1 && el('a', { class: 'chip all', href: without(none) }, 'remove all'),
  ];
}

const without = (changes) => href({ shown: null, ...changes });

function chip(text, changes) {
  return el(
    'a',
    { class: 'chip', href: without(changes), 'aria-label': `remove: ${text}` },
    text,
    el('span', { 'aria-hidden': 'true' }, ' ×'),
  );
}

/** Each part: whether it is there, what it says, and the changes that take it away. */
function parts(filter, choices) {
  const { verdict, reason, outcome, measure, concept = [], video, flag, text, rule } = filter;
  const { duplicate_of: other } = filter;
  return [
    [verdict, verdict, { verdict: null }],
    [reason, `by ${words(reason ?? '')}`, { reason: null }],
    [outcome, `${OUTCOMES[outcome] ?? outcome}, with the rules changed`, { outcome: null }],
    [measure, measureText(filter), { measure: null, low: null, high: null }],
    ...concept.map((one) => [true, conceptText(one, choices), { concept: others(concept, one) }]),
    [other, `duplicates of ${other}`, { duplicate_of: null }],
    [video, `video ${video}`, { video: null }],
    [flag, `caption: ${words(flag ?? '')}`, { flag: null }],
    [text, `“${text}”`, { text: null }],
    ...rule.map((one) => [true, `rule changed: ${ruleText(one)}`, { rule: others(rule, one) }]),
  ];
}

const others = (list, one) => list.filter((each) => each !== one);

function conceptText(id, { concepts }) {
  return `concept ${concepts.find((known) => String(known.concept_id) === id)?.name ?? id}`;
}

const measureText = ({ measure, low, high }) => `${words(measure ?? '')}${boundsText(low, high)}`;

function ruleText(text) {
  const [name, min, max] = text.split(':');
  return `${words(name)}${boundsText(min, max) || ' off'}`;
}

function boundsText(low, high) {
  if (low && high) return ` ${low} to ${high}`;
  if (low) return ` at least ${low}`;
  return high ? ` at most ${high}` : '';
}
