// Which clip was kept for which others, and what a stricter threshold would free.

import { pageOf } from '../../core/pages.js';
import { quoted } from '../../core/commands.js';
import { address, ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { exports } from '../../core/exports.js';
import { count, number } from '../../core/format.js';
import { emptyState, errorBox } from '../../core/parts.js';
import { foundFigures, looserNote } from './found.js';
import { groupList } from './groups.js';
import { pager } from './pages.js';
import { thresholds } from './thresholds.js';

const SIZE = 8;

/** Draws the panel; may return what is to be done when it is left. */
export async function draw(body, { state, overview, signal }) {
  const { subset } = state;
  if (!subset) {
    replace(
      body,
      emptyState(
        'No subset has been selected yet',
        'Duplicates are looked for among what a subset keeps.',
      ),
    );
    return null;
  }
  const { threshold, same_video_threshold } = state;
  const asked = { subset, threshold, same_video_threshold };
  const page = pageOf(state.page);
  const [found, { num, groups }] = await Promise.all([
    ask('duplicates', asked, signal),
    ask('duplicates/groups', { ...asked, page, size: SIZE }, signal),
  ]);
  if (!found.num) {
    replace(body, nothing(found, subset, overview.workspace));
    return null;
  }
  const list = groupList(groups);
  const { told, sliders } = counts(found, asked, list);
  replace(
    body,
    told,
    sliders.node,
    looserNote(found.settings, overview.workspace),
    pager(page, num, SIZE),
    list.node,
    pager(page, num, SIZE),
    saved(subset, groups, () => sliders.node.querySelector('svg')),
  );
  return () => {
    list.leave();
    sliders.leave();
  };
}

/** Figures, and the thresholds that they and the marks in the list of groups follow. */
function counts(found, asked, list) {
  const { subset } = asked;
  const told = el('div', { class: 'figures', 'aria-live': 'polite' }, foundFigures(found, subset));
  const sliders = thresholds(found, asked, {
    onCounts: (fresh) => {
      replace(told, foundFigures(fresh, subset));
      list.mark(asked, found.settings);
    },
    onError: (error) => replace(told, errorBox(error)),
  });
  return { told, sliders };
}

function saved(subset, groups, chart) {
  return exports({
    name: `duplicates-${subset}`,
    rows: () => groups.flatMap(csvRows),
    chart,
    links: ['csv', 'parquet'].map((format) => [
      `all ids (${format})`,
      address('clips/export', { subset, reason: 'duplicate', format }),
    ]),
  });
}

/** What is said where there are no duplicates: why that is so. */
function nothing({ num_unscored: num, settings }, subset, workspace) {
  const curate = `moviola curate RECIPE --workspace ${quoted(workspace)}`;
  if (num) {
    return emptyState(
      'No duplicates are known',
      `${count(num)} clips of ${subset} could not be compared: they have no copy embedding.`,
      curate,
    );
  }
  if (settings) {
    return emptyState(
      'No duplicates',
      `No two clips that ${subset} keeps are as alike as ${number(settings.threshold)} (${number(settings.same_video_threshold)} within one video).`,
    );
  }
  return emptyState(
    'Duplicates were not looked for',
    'The recipe has no selection.duplicates, or was not kept. It needs scores.copy_detection; only what is missing is made.',
    `${curate} --set selection.duplicates={}`,
  );
}

const csvRows = (group) =>
  group.members.map((member) => ({
    duplicate_of: group.duplicate_of,
    clip_id: member.clip_id,
    cosine: member.cosine,
    is_same_video: member.is_same,
    is_freed: member.is_freed,
    decided_by: member.decided_by,
    uri: member.uri,
    ...member.measures,
  }));
