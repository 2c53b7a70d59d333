// Elements of the page. Text goes in as text nodes only, so that a caption is never markup.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * An element with attributes, listeners (`onclick`), properties (`.value`) and children.
 * Null, undefined and false children are left out; other children that are no nodes become text.
 */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same, of SVG. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** Puts these children in the place of what an element holds. */
export function replace(parent, ...children) {
  parent.replaceChildren(...shown(children));
  return parent;
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name.startsWith('.')) element[name.slice(1)] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...shown(children));
  return element;
}

function shown(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}
