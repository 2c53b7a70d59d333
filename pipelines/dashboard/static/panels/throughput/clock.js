// Times of the panel of throughput, all of UTC.

import { duration } from '../../core/format.js';

/** `2026-11-27 06:45:12 UTC`. */
export const clock = (ms) => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** `8 s ago`, or `never`. */
export const ago = (ms, now) =>
  ms === null || ms === undefined
    ? 'never'
    : `${duration(Math.max(0, Math.round((now - ms) / 1000)))} ago`;
