// A choice of one of several, such as a run.

import { el } from './dom.js';

/** A named list to choose from. `options` are `[value, text]`; `onChoose` takes a value, as text. */
export function chooser(name, options, chosen, onChoose) {
  return el(
    'label',
    {},
    `${name} `,
    el(
      'select',
      { onchange: (event) => onChoose(event.target.value) },
      options.map(([value, text]) => el('option', { value, selected: value === chosen }, text)),
    ),
  );
}
