// The buttons above the map of concepts.

import { el } from '../../core/dom.js';
import { note } from '../../core/state.js';

/** Which shares are shown, what dragging does, and how far the map is zoomed. */
export function mapTools(map, phase, isWeighed) {
  const change = (next) => () => {
    map.show(next);
    note({ weights: next === 'before' ? 'before' : null });
  };
  return el(
    'div',
    { class: 'row concept-tools' },
    group('Shares', [
      toggle('before', 'before', 'by clips', phase === 'before', change('before')),
      toggle(
        'after',
        isWeighed ? 'after resampling' : 'after (the same)',
        'by weights',
        phase === 'after',
        change('after'),
      ),
    ]),
    group('Dragging', [
      toggle('move', 'move', 'drag moves the map; a click opens the clips', true, () =>
        map.lasso(false),
      ),
      toggle(
        'lasso',
        'select',
        'drag draws a lasso; a click adds one; shift does so too',
        false,
        () => map.lasso(true),
      ),
    ]),
    group('Zoom', [
      step('+', 'zoom in', () => map.zoom(1.5)),
      step('−', 'zoom out', () => map.zoom(1 / 1.5)),
      step('⟲', 'whole map', () => map.reset()),
    ]),
  );
}

const group = (name, buttons) =>
  el('div', { class: 'tabs', role: 'group', 'aria-label': name }, buttons);

const step = (sign, name, action) =>
  el('button', { type: 'button', 'aria-label': name, title: name, onclick: action }, sign);

/** A button of a group of which one is pressed. */
function toggle(name, label, title, isOn, action) {
  const press = ({ currentTarget: pressed }) => {
    for (const button of pressed.parentElement.children)
      button.setAttribute('aria-pressed', String(button === pressed));
    action();
  };
  const attributes = { 'aria-pressed': String(isOn), title, onclick: press, 'data-tool': name };
  return el('button', { type: 'button', ...attributes }, label);
}
