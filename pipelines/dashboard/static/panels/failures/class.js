// One class of failures: an example with what helps, where they come from, and their rows.

import { pageOf } from '../../core/pages.js';
import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { exports, tableLinks } from '../../core/exports.js';
import { count, shareOf, words } from '../../core/format.js';
import { copyable, hint, table } from '../../core/parts.js';
import { href, panelHref } from '../../core/state.js';
import { failedRows, PAGE, searchBox } from './rows.js';

/** Asks for what the URL names of a step, and draws it. */
export async function drawClass(section, stage, wanted, signal) {
  const { why, source, licence, search } = wanted;
  const asked = { stage: stage.stage, why, source, licence, search };
  const page = pageOf(wanted.page);
  const [found, { groups }] = await Promise.all([
    ask('failures/rows', { ...asked, page, size: PAGE }, signal),
    ask('failures/groups', { stage: stage.stage, why }, signal),
  ]);
  const one = stage.classes.find((each) => each.why === why);
  const saved = `all ${count(found.num)}`;
  replace(
    section,
    head(stage, why, one),
    one?.meaning && el('p', {}, `${one.meaning}.`),
    one && example(one.example, stage),
    sources(groups, wanted),
    el('div', { class: 'row' }, searchBox(search), pickedSource(wanted)),
    failedRows(found, page),
    exports({ name: 'failures', links: tableLinks(saved, 'failures/export', asked) }),
  );
}

function head({ stage, num_in: numIn }, why, one) {
  const told = one
    ? `${count(one.num)} rows, ${shareOf(one.num, numIn)} inputs`
    : `${count(numIn)} inputs`;
  return el(
    'div',
    { class: 'row' },
    el('h2', {}, why ? `${stage}: ${words(why)}` : stage),
    el('span', { class: 'note' }, told),
    el('a', { class: 'close', href: panelHref('failures') }, 'close'),
  );
}

function example({ uri, error, status, reproduce, go_on: goOn }, { retry }) {
  return el(
    'div',
    { class: 'example' },
    el('h3', {}, 'One of them'),
    uri && el('p', {}, el('code', {}, uri)),
    error && el('pre', { class: 'error', tabindex: 0 }, error),
    remedy('Does this file alone again, in a workspace of its own:', reproduce),
    remedy(
      'Tries all failed rows again; relative paths are from where it was typed:',
      status === 'failed' && retry,
    ),
    remedy('Goes on where the run stopped; relative paths are from where it was typed:', goOn),
  );
}

const remedy = (what, command) => command && [hint(what), copyable(command)];

/** Where they come from; nothing where there is but one source, with no licence told. */
function sources(groups, wanted) {
  if (groups.length < 2 && !groups[0]?.licence) return null;
  const title =
    groups.length === 1 ? 'From one source' : `From ${groups.length} sources and licences`;
  const columns = [
    { name: 'source', of: (group) => sourceLink(group, wanted) },
    { name: 'licence', of: (group) => group.licence ?? 'unknown' },
    { name: 'rows', num: true, of: (group) => count(group.num) },
    { name: 'share', num: true, of: (group) => shareOf(group.num, group.num_in) },
  ];
  return el(
    'details',
    { open: groups.length <= 8 },
    el('summary', {}, title),
    table(columns, groups, { 'aria-label': 'where they come from' }),
  );
}

function sourceLink({ source, licence }, wanted) {
  return el(
    'a',
    {
      href: href({ source, licence, page: null }),
      'aria-current': wanted.source === source ? 'true' : null,
    },
    source ?? 'unknown',
  );
}

function pickedSource({ source, licence }) {
  const picked = [source, licence].filter(Boolean);
  if (!picked.length) return null;
  const all = href({ source: null, licence: null, page: null });
  return el('a', { href: all }, `only ${picked.join(', ')} ✕`);
}
