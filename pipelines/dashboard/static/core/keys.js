// Keys that act on the whole page.

/** Whether a key is pressed by itself in the panel, and not while someone types. */
export function isPlainKey(event) {
  const isTyping = event.target.matches?.('input, textarea, select');
  const isThere = event.target === document.body || event.target.closest?.('main');
  return isThere && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey;
}
