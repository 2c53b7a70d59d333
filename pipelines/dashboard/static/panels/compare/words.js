// Two texts, word by word.

import { el } from '../../core/dom.js';

const MOST_WORDS = 400;

/** Both texts with the words that the other lacks marked; longer ones are left as they are. */
export function markedWords(before, after) {
  const [one, two] = [before.split(/\s+/), after.split(/\s+/)];
  if (one.length > MOST_WORDS || two.length > MOST_WORDS) return [[before], [after]];
  const common = commonLengths(one, two);
  const [left, right] = [[], []];
  let [i, j] = [0, 0];
  while (i < one.length || j < two.length) {
    if (i < one.length && j < two.length && one[i] === two[j]) {
      left.push(`${one[i]} `);
      right.push(`${two[j]} `);
      i += 1;
      j += 1;
    } else if (j >= two.length || (i < one.length && common[i + 1][j] >= common[i][j + 1])) {
      left.push(el('del', {}, one[i]), ' ');
      i += 1;
    } else {
      right.push(el('ins', {}, two[j]), ' ');
      j += 1;
    }
  }
  return [left, right];
}

/** How long the longest common part of both is, from word i of one and word j of the other on. */
function commonLengths(one, two) {
  const common = Array.from({ length: one.length + 1 }, () => new Uint16Array(two.length + 1));
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = two.length - 1; j >= 0; j -= 1) {
      common[i][j] =
        one[i] === two[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  return common;
}
