"""Counts of clips in bins of a measure, from which a page can say what a threshold would keep.

Edges are counted apart from what lies between them, so that bounds at edges, which are inclusive
as in a recipe, give exact counts: `at[i]` holds the clips whose value is edge `i`, `between[i]`
those above edge `i` and below edge `i + 1`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

BARS = 32
"""About so many bins between the tails."""

TAIL = 0.005
"""Share of the values beyond the regular bins, at either end; they have one bin there."""

TAIL_STEPS = 1.5
"""Width at which such a bin is drawn, in steps."""

NEAR_STEPS = 0.75
"""A bound this near to a round edge takes its place."""

MIN_STEPS = 0.5
"""A narrower bin is drawn as high as one of this width: it would tower over the others."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """The edges of the bins of a measure, and where they are drawn.

    Attributes:
        edges: ascending, from at most the smallest value to at least the largest.
        places: of each edge, 0 to 1.
        widths: of each bin, in steps, by which its count is divided; a tail counts as 1.
    """

    edges: tuple[float, ...]
    places: tuple[float, ...]
    widths: tuple[float, ...]


@dataclass(frozen=True)
class Bins:
    """Clips and their seconds, at and between the edges of an axis."""

    at: tuple[int, ...]
    between: tuple[int, ...]
    at_s: tuple[float, ...]
    between_s: tuple[float, ...]

    def within(self, low: int, high: int) -> tuple[int, float]:
        """Clips and seconds from edge `low` to edge `high`, both included."""
        num = sum(self.at[low : high + 1]) + sum(self.between[low:high])
        return num, sum(self.at_s[low : high + 1]) + sum(self.between_s[low:high])

    def bars(self) -> list[int]:
        """Clips of each bin: what is at its lower edge or above; in the last, at its upper too."""
        bars = [at + between for at, between in zip(self.at[:-1], self.between, strict=True)]
        bars[-1] += self.at[-1]
        return bars


def as_measured(bound: float, kind: pa.DataType) -> float:
    """The bound as it is compared: in the measure's own type."""
    return float(np.float32(bound)) if kind == pa.float32() else float(bound)


def axis(values: Floats, bounds: Sequence[float], kind: pa.DataType) -> Axis:
    """Bins of a round width over the values; each bound is an edge.

    Args:
        values: `[N]`, finite; there may be none.
        bounds: thresholds, in the measure's own type.
        kind: the type of the measure.
    """
    ends = [*bounds, *(np.quantile(values, [TAIL, 1 - TAIL]) if values.size else [])] or [0.0, 1.0]
    low, high = float(min(ends)), float(max(ends))
    step = _round_step((high - low or abs(low) or 1.0) / BARS)
    if pa.types.is_integer(kind):
        step = max(1.0, step)
    first = math.floor(low / step)
    last = max(first + 1, math.ceil(high / step))
    grid = [as_measured(float(f"{place * step:.12g}"), kind) for place in range(first, last + 1)]
    for bound in bounds:  # takes the place of the nearest inner edge, if one is near
        near = [e for e in grid[1:-1] if abs(e - bound) < NEAR_STEPS * step and e not in bounds]
        if near and bound not in grid:
            grid[grid.index(min(near, key=lambda edge: abs(edge - bound)))] = bound
    # A bound has an edge beyond it, since the outermost edges stand for no bound at all.
    beyond = [grid[0] - step] * (grid[0] in bounds) + [grid[-1] + step] * (grid[-1] in bounds)
    edges = sorted({as_measured(edge, kind) for edge in (*grid, *bounds, *beyond)})
    return _with_tails(edges, values, step)


def binned(values: Floats, seconds: Floats, edges: Sequence[float]) -> Bins:
    """Counts the clips.

    Args:
        values: `[N]`, finite and within the edges.
        seconds: `[N]`, their length.
        edges: of an `axis`.
    """
    places = np.searchsorted(edges, values, "left")
    is_at = np.asarray(edges, np.float64)[places] == values
    at, between = places[is_at], places[~is_at] - 1
    assert not between.size or between.min() >= 0, "a value lies below the axis"

    def counts(which: npt.NDArray[np.intp], size: int) -> tuple[int, ...]:
        return tuple(np.bincount(which, minlength=size).tolist())

    def sums(which: npt.NDArray[np.intp], weights: Floats, size: int) -> tuple[float, ...]:
        return tuple(np.round(np.bincount(which, weights, size), 6).tolist())

    return Bins(
        counts(at, len(edges)),
        counts(between, len(edges) - 1),
        sums(at, seconds[is_at], len(edges)),
        sums(between, seconds[~is_at], len(edges) - 1),
    )


def _with_tails(edges: list[float], values: Floats, step: float) -> Axis:
    has_low = bool(values.size and values.min() < edges[0])
    has_high = bool(values.size and values.max() > edges[-1])
    gaps = [(right - left) / step for left, right in pairwise(edges)]
    drawn = [TAIL_STEPS] * has_low + gaps + [TAIL_STEPS] * has_high
    high_as = [max(gap, MIN_STEPS) for gap in gaps]
    counted = [1.0] * has_low + high_as + [1.0] * has_high
    if has_low:
        edges = [float(values.min()), *edges]
    if has_high:
        edges = [*edges, float(values.max())]
    ends = np.concatenate([[0.0], np.cumsum(drawn)])
    places = np.round(ends / ends[-1], 5)
    return Axis(tuple(edges), tuple(places.tolist()), tuple(counted))


def _round_step(least: float) -> float:
    """1, 2 or 5 times a power of ten, at least this."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(
        float(f"{factor * power:.12g}") for factor in (1, 2, 5, 10) if factor * power >= least
    )
