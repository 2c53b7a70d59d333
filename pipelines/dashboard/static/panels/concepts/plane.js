// Where the concepts of a map lie, in px: their places, their circles, and what zooming does to both.

const PAD_PX = 56;
const LEAST_REACH_PX = 6;
/** Of the area of the map, when all circles are added up. */
const FILLED = 0.32;
const ZOOMS = { least: 0.5, most: 64 };

/** The larger one of the shares of a concept. */
const largest = (one) => Math.max(one.before, one.after);

/** A plane of `width` × `height` px with concepts (`x`, `y`, `before`, `after`) on it. */
export class ConceptPlane {
  constructor(concepts, phase, view) {
    // Large ones lie below small ones, so that all can be reached.
    this.placed = concepts.toSorted((a, b) => largest(b) - largest(a));
    this.box = bounds(this.placed);
    this.most = Math.sqrt(Math.max(...this.placed.map(largest), 1e-9));
    this.width = 0;
    this.height = 0;
    /** Zoom and offset. */
    this.view = view ?? { k: 1, x: 0, y: 0 };
    /** 0 shows shares as before, 1 as after, and what is between is on its way. */
    this.mix = phase === 'after' ? 1 : 0;
  }

  /** The middle of a concept's circle. */
  place({ x, y }) {
    const scale = this.scale() * this.view.k;
    return [
      this.width / 2 + this.view.x + (x - this.box.x) * scale,
      this.height / 2 + this.view.y - (y - this.box.y) * scale,
    ];
  }

  /** The radius of a share, whose square it grows with. */
  radius(share) {
    const unit = this.whole() * Math.sqrt(this.view.k);
    return share > 0 ? Math.max(2.5, unit * Math.sqrt(share)) : 2;
  }

  /** The radius of a concept as it is now. */
  radiusOf({ before, after }) {
    return this.radius(before + (after - before) * this.mix);
  }

  /** The smallest circle under a point. */
  hit([x, y]) {
    const isUnder = (one) => {
      const [left, top] = this.place(one);
      return Math.hypot(x - left, y - top) <= Math.max(LEAST_REACH_PX, this.radiusOf(one));
    };
    return this.placed.findLast(isUnder) ?? null;
  }

  /** Zooms so that a point stays where it is: the middle, if none is given. */
  zoom(factor, [x, y] = [this.width / 2, this.height / 2]) {
    const k = Math.min(ZOOMS.most, Math.max(ZOOMS.least, this.view.k * factor));
    const ratio = k / this.view.k;
    const [left, top] = [x - this.width / 2, y - this.height / 2];
    this.view = {
      k,
      x: left - (left - this.view.x) * ratio,
      y: top - (top - this.view.y) * ratio,
    };
  }

  pan(dx, dy) {
    this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
  }

  reset() {
    this.view = { k: 1, x: 0, y: 0 };
  }

  /** Px for each unit of the places, before zooming. */
  scale() {
    const pad = 2 * Math.max(PAD_PX, this.most * this.whole() + 8);
    const { width, height } = this.box;
    return Math.max(1, Math.min((this.width - pad) / width, (this.height - pad) / height));
  }

  /** Radius of a share of 1, in px, before zooming. */
  whole() {
    const side = Math.min(this.width, this.height) - PAD_PX;
    return Math.min(Math.sqrt(FILLED / Math.PI) * side, side / 6 / this.most);
  }
}

/** The middle and the extent of all places, never empty. */
function bounds(concepts) {
  const span = (values) => [Math.min(...values), Math.max(...values)];
  const [left, right] = span(concepts.map((one) => one.x));
  const [low, high] = span(concepts.map((one) => one.y));
  return {
    x: (left + right) / 2,
    y: (low + high) / 2,
    width: Math.max(0.5, right - left),
    height: Math.max(0.5, high - low),
  };
}
