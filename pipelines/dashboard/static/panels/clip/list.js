// The list that a clip was opened from, so that one can step through it. It is kept for this tab
// alone: a shared address has none, and shows the clip all the same.

const KEY = 'moviola-list';

/**
 * Notes the clips that are listed, and where.
 * @param {string[]} ids in the order in which they are shown
 */
export function rememberList(ids) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ ids, href: location.search }));
  } catch {
    // A browser that keeps nothing shows a clip without the list.
  }
}

/**
 * Where a clip stands in the list it was opened from; null where it is in none.
 * @returns {{place: number, num: number, previous: ?string, next: ?string, href: string}}
 */
export function placeInList(clip) {
  try {
    const { ids, href } = JSON.parse(sessionStorage.getItem(KEY)) ?? { ids: [] };
    const place = ids.indexOf(clip);
    if (place < 0) return null;
    return {
      place,
      num: ids.length,
      previous: ids[place - 1] ?? null,
      next: ids[place + 1] ?? null,
      href,
    };
  } catch {
    return null;
  }
}
