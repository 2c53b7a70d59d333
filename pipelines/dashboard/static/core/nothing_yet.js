// What panels say of a workspace in which nothing has happened yet.

import { quoted } from './commands.js';
import { emptyState } from './parts.js';

/** Of one that has no input. */
export function nothingIn({ workspace }) {
  return emptyState(
    'Nothing has gone in yet',
    'The workspace has no input files. Curate some footage into it:',
    `moviola curate movie-gen-256p --input FOOTAGE --workspace ${quoted(workspace)}`,
  );
}
