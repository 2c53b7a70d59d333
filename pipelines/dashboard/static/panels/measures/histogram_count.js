// How many clips are kept while a bound moves, counted in the page.

import { askArrays } from '../../core/api.js';
import { asStored, between } from './rules.js';

/** The values of a measure that are counted: asked for once for each setting of the other rules. */
export class KeptCount {
  constructor(measure, subset, signal) {
    Object.assign(this, { measure, subset, signal, values: null, valuesFor: null });
  }

  /** Asks for the values unless they are there; whether there are new ones. */
  async prepare(rules) {
    const own = `${this.measure.rule?.name ?? this.measure.name}:`;
    const others = rules.filter((text) => !text.startsWith(own));
    const key = JSON.stringify(others);
    if (this.valuesFor === key) return false;
    this.valuesFor = key;
    this.values = null;
    const asked = { subset: this.subset, measure: this.measure.name, rule: others };
    try {
      const values = await askArrays('values', asked, this.signal);
      // Others may have been asked for meanwhile.
      if (this.valuesFor !== key) return false;
      this.values = values;
    } catch (error) {
      if (this.valuesFor === key) this.valuesFor = null;
      throw error;
    }
    return true;
  }

  /** What two bounds keep; null until the values are there. */
  within(bounds) {
    if (!this.values) return null;
    const [min, max] = [bounds.min, bounds.max].map((bound) => asStored(bound, this.measure));
    const { known, known_hours, unknown, unknown_hours, exempt, exempt_hours, every } = this.values;
    const inside = between(known, known_hours, min, max, every);
    const maybe = between(unknown, unknown_hours, min, max, every);
    // Without a rule, clips that lack the measure pass too: the server counts those.
    return {
      num: inside.num + exempt,
      hours: inside.hours + exempt_hours,
      unknown: maybe.num,
      isExact: every === 1,
    };
  }
}
