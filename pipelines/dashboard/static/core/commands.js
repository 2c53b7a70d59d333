// Commands for a terminal.

/** A path as a shell takes it. */
export const quoted = (path) => `'${path.replaceAll("'", "'\\''")}'`;
