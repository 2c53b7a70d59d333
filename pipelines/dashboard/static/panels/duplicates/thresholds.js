// The two thresholds together: what is counted anew while one of them is moved.

import { ask } from '../../core/api.js';
import { el } from '../../core/dom.js';
import { note } from '../../core/state.js';
import { KINDS, sliderCard } from './slider.js';

const WAIT_MS = 120;

/**
 * A slider for each kind that was found. Moving one changes `asked` and the URL, and asks again:
 * `onCounts` takes the answer, `onError` what went wrong. Gives `{ node, leave }`.
 */
export function thresholds(found, asked, { onCounts, onError }) {
  let timer = 0;
  let asking = null;
  const cards = Object.keys(KINDS)
    .filter((kind) => found.kinds[kind])
    .map((kind) => sliderCard(kind, found, asked, change));

  function change(wanted) {
    Object.assign(asked, wanted);
    note(wanted);
    clearTimeout(timer);
    timer = setTimeout(askAgain, WAIT_MS);
  }

  async function askAgain() {
    asking?.abort();
    asking = new AbortController();
    try {
      const fresh = await ask('duplicates', asked, asking.signal);
      for (const { tell } of cards) tell(fresh);
      onCounts(fresh);
    } catch (error) {
      if (error.name !== 'AbortError') onError(error);
    }
  }

  return {
    node: el(
      'div',
      { class: 'columns' },
      cards.map((card) => card.node),
    ),
    leave: () => {
      clearTimeout(timer);
      asking?.abort();
    },
  };
}
