// One clip's way from the source to the samples.

import { el } from '../../core/dom.js';
import { bytes, place, time } from '../../core/format.js';
import { table } from '../../core/parts.js';

/** The commits that made its rows, with who made each. */
export function lineage(clip, commits) {
  const columns = [
    { name: 'table', of: (commit) => commit.table },
    { name: 'what', of: (commit) => contents(commit, clip) },
    { name: 'made by', of: maker },
    { name: 'code', of: (commit) => commit.code },
    { name: 'recipe', of: (commit) => commit.recipe },
    { name: 'when', of: (commit) => time(commit.time_ms) },
  ];
  return table(columns, commits, { class: 'commits', 'aria-label': 'Commits' });
}

function maker({ run, command, is_exact: isExact }) {
  return el('span', { title: command }, `${run}${isExact ? '' : ' (the last to add rows)'}`);
}

/** What a table has of the clip. */
function contents({ table: name, file }, clip) {
  const [kind, part] = name.split('/');
  const subset = clip.subsets.find((one) => one.subset === part);
  switch (kind) {
    case 'sources':
      return clip.video.uris.join(', ');
    case 'videos':
      return `SHA-256 ${clip.video.sha256}, ${bytes(sizeOf(clip))}`;
    case 'clips':
      return `${rangeOf(clip.place)}; ${file}`;
    case 'scores':
      return (clip.scores.models ?? []).join(', ');
    case 'selection':
      return clip.subsets.map((one) => `${one.subset}: ${one.reason ?? one.status}`).join(', ');
    case 'captions':
      return captionerOf(clip, part);
    case 'shards':
      return `${file}${rowOf(subset)}`;
    default:
      return subset?.latents?.encoder_hash ?? '';
  }
}

const sizeOf = ({ measures }) => measures.find((one) => one.name === 'size_bytes')?.value;

function rangeOf({ start_s: start, end_s: end, num_frames: frames, start_frame: first }) {
  return `${place(start)} to ${place(end)}, ${frames} frames from ${first}`;
}

function captionerOf({ captions }, name) {
  const found = captions.find((one) => one.captioner === name);
  return found ? `${found.model}, ${found.prompt_version}` : '';
}

const rowOf = (subset) => (subset?.sample?.row === undefined ? '' : `, row ${subset.sample.row}`);
