// The files of a subset's samples and latents, what is in them, and who has trained on them.

import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { emptyState } from '../../core/parts.js';
import { bucketCard } from './buckets.js';
import { curateCommand } from './commands.js';
import { checksCard, filesCard } from './files.js';
import { latentsCard } from './latents.js';
import { readCard, schemaCard } from './reading.js';
import { readersCard } from './readers.js';
import { outcomeCard, summary } from './summary.js';

/** Draws the panel; may return what is to be done when it is left. */
export async function draw(body, { state, overview, signal }) {
  if (!state.subset) {
    replace(
      body,
      emptyState(
        'There is no subset yet',
        'Samples are cut when clips have been selected:',
        curateCommand(overview.workspace),
      ),
    );
    return;
  }
  const told = await ask('shards', { subset: state.subset }, signal);
  if (told.version === null) {
    replace(body, noSamples(state.subset, overview));
    return;
  }
  replace(
    body,
    summary(told),
    outcomeCard(told),
    el('div', { class: 'columns' }, bucketCard(told), readCard(told)),
    filesCard(told),
    checksCard(told),
    latentsCard(told),
    readersCard(told),
    schemaCard(told),
  );
}

function noSamples(subset, { run, workspace }) {
  const isAtWork = run?.is_alive;
  return emptyState(
    `${subset} has no samples yet`,
    isAtWork
      ? 'A run is at work; samples are its last step, and appear here when the first are committed.'
      : 'Clips are selected, and not cut yet. The same command goes on from there:',
    isAtWork ? null : curateCommand(workspace),
  );
}
