// Thresholds: histograms with handles, what other thresholds would keep, and the clips behind it.

import { quoted } from '../../core/commands.js';
import { ask } from '../../core/api.js';
import { replace } from '../../core/dom.js';
import { emptyState } from '../../core/parts.js';
import { Thresholds } from './thresholds.js';

/** Draws the panel; may return what is to be done when it is left. */
export async function draw(body, { state: wanted, overview, signal }) {
  const { subset, rule } = wanted;
  if (!subset) {
    replace(
      body,
      emptyState(
        'Nothing has been decided yet',
        'Thresholds are judged on the clips of a subset, once a run has selected one.',
        `moviola select movie-gen-256p --workspace ${quoted(overview.workspace)}`,
      ),
    );
    return null;
  }
  const { measures, others } = await ask('measures', { subset, rule }, signal);
  if (!measures.length) {
    replace(
      body,
      emptyState('No clip has been measured yet', 'The decode pass has not handed on a clip.'),
    );
    return null;
  }
  const thresholds = new Thresholds({ subset, measures, others, wanted, signal });
  replace(body, thresholds.contents());
  await thresholds.start();
  return () => thresholds.leave();
}
