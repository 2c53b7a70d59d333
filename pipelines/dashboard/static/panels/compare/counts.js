// Numbers of clips that moved between two decisions.

import { el } from '../../core/dom.js';
import { count, hours } from '../../core/format.js';
import { href } from '../../core/state.js';

/** Any rule that rejects, in the place of one of them. */
export const ANY_RULE = 'any-rule';

/** The outcome of clips that the other decision knew and this one did not. */
export const ABSENT = 'not there';

/** A change of a number: `+12`, `−3`. */
export const signed = (value) =>
  value ? `${value > 0 ? '+' : '−'}${count(Math.abs(value))}` : 'no change';

/** A change of hours of video. */
export const signedHours = (value) =>
  isSame(value) ? 'no change' : `${value > 0 ? '+' : '−'}${hours(Math.abs(value))}`;

/** Whether a change of hours is none, but for what sums of floats leave. */
export const isSame = (value) => Math.abs(value) <= 1e-9;

/** A number that opens its clips: those that were one thing in A, and are another in B. */
export function clipsLink(num, was, now) {
  return num ? el('a', { href: href({ was, now, page: null }) }, count(num)) : count(num);
}
