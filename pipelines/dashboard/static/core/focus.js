// The keyboard's place while what it is in is drawn again.

const NAMES = ['id', 'data-clip', 'data-filter', 'name', 'aria-label', 'href'];

/** What has the focus within an element, to be found again by `focusAgain`; null if nothing has. */
export function focusedIn(parent) {
  const found = document.activeElement;
  if (!found || found === parent || !parent.contains(found)) return null;
  const name = NAMES.find((one) => found.hasAttribute(one));
  return { tag: found.localName, name, value: found.getAttribute(name), text: found.textContent };
}

/** Gives the focus to what stands in the place of what had it, else to the element itself. */
export function focusAgain(parent, had) {
  // Whoever has gone elsewhere meanwhile stays there.
  if (!had || document.activeElement !== document.body) return;
  const alike = [...parent.querySelectorAll(had.tag)];
  const found =
    alike.find((one) => had.name && one.getAttribute(had.name) === had.value) ??
    alike.find((one) => had.text && one.textContent === had.text);
  (found ?? parent).focus({ preventScroll: true });
}
