// Arrow keys in a grid of tiles.

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

/** Has the arrow keys, Home and End move between the tiles inside an element. */
export function arrowKeys(grid) {
  grid.addEventListener('keydown', (event) => {
    const tiles = [...grid.querySelectorAll('.tile')];
    const place = tiles.indexOf(document.activeElement);
    if (place < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const found = target(event.key, tiles, place);
    if (!found) return;
    event.preventDefault();
    found.focus();
    found.scrollIntoView({ block: 'nearest' });
  });
}

function target(key, tiles, place) {
  if (key in STEPS) return tiles[place + STEPS[key]];
  if (key === 'Home') return tiles[0];
  if (key === 'End') return tiles.at(-1);
  if (key !== 'ArrowDown' && key !== 'ArrowUp') return null;
  const { left, top } = tiles[place].getBoundingClientRect();
  const others = tiles
    .map((tile) => ({ tile, box: tile.getBoundingClientRect() }))
    .filter(({ box }) => (key === 'ArrowDown' ? box.top > top + 1 : box.top < top - 1));
  const nearest = (one) => Math.abs(one.box.top - top) * 1e4 + Math.abs(one.box.left - left);
  return others.toSorted((one, other) => nearest(one) - nearest(other))[0]?.tile;
}
