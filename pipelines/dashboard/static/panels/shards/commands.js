// Commands for a terminal that the panel of shards names.

import { quoted } from '../../core/commands.js';

/** What makes the samples of a workspace, or goes on with them. */
export const curateCommand = (workspace) =>
  `moviola curate RECIPE --input FOOTAGE --workspace ${quoted(workspace)}`;
