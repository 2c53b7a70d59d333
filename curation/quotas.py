"""Floors and quotas: the nearest shares that meet them, and what shares can be had at all.

Of all shares that meet them, those of the least relative entropy to the ones wished for, found by
cyclic projections with Dykstra's corrections (Bauschke and Lewis 2000). With quotas alone that are
met exactly it is raking (Deming and Stephan 1940).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from curation.settings import Settings

_PASSES = 20_000
_TOLERANCE = 1e-5
"""How far a share may be from its quota; also what a quota needs between it and the impossible."""

Bools = npt.NDArray[np.bool_]
Shares = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


class Quota(Settings):
    """Bounds of a share of the samples."""

    min: float = Field(default=0.0, ge=0, lt=1)
    """At least this share."""

    max: float = Field(default=1.0, gt=0, le=1)
    """At most this share."""

    @model_validator(mode="after")
    def _in_order(self) -> "Quota":
        if self.min > self.max:
            raise ValueError("min must be at most max")
        return self


def balanced(
    base: Shares, concept: Counts, floors: Shares, kinds: Bools, quotas: Sequence[Quota]
) -> Shares:
    """The shares of the cells nearest to `base` in relative entropy that meet floors and quotas.

    Args:
        base: share of each cell, `[C]`, sum 1.
        concept: its concept, `[C]`.
        floors: least share of each concept, `[K]`; of all, at most 1.
        kinds: `[C, Q]`, whether the cell counts for each quota.
        quotas: `[Q]`; they can be met.
    """
    shares = base.copy()
    on_concepts, on_kinds = np.ones(len(floors)), np.ones(len(quotas))
    for _ in range(_PASSES):
        before = shares
        free = shares / on_concepts[concept]
        on_concepts = _raised(np.bincount(concept, free).astype(np.float64), floors)
        shares = _normal(free * on_concepts[concept])
        for number, quota in enumerate(quotas):
            counts = kinds[:, number]
            if counts.all() or not counts.any():
                continue
            free = _normal(np.where(counts, shares / on_kinds[number], shares))
            on_kinds[number] = _factor(float(free[counts].sum()), quota)
            shares = _normal(np.where(counts, free * on_kinds[number], free))
        if np.abs(shares - before).sum() < _TOLERANCE * 1e-4:
            break
    return shares


def check_quotas(
    kinds: Bools, concept: Counts, floors: Shares, quotas: tuple[Quota, Quota]
) -> None:
    """Raises ValueError if no weights meet the quotas, all above 0.

    What the cells and floors allow is a polygon in the plane of the two shares. Its sides lie
    along the sides and diagonals of the square, so its reach in eight directions is all of it.
    """
    free = 1 - floors.sum()
    landscape, people = quotas
    allowed = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    for direction in [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)]:
        along = kinds @ np.array(direction)
        highest = np.full(len(floors), -np.inf)
        np.maximum.at(highest, concept, along)
        allowed = _clipped(allowed, direction, float(floors @ highest + free * along.max()))
    met = _clipped(_clipped(allowed, (1, 0), landscape.max), (-1, 0), -landscape.min)
    if not met:
        low, high = min(x for x, _ in allowed), max(x for x, _ in allowed)
        raise ValueError(
            f"a share of landscape from {landscape.min:g} to {landscape.max:g} cannot be had: the "
            f"clips and the rare_floor allow {low:.4g} to {high:.4g}"
        )
    low, high = min(y for _, y in met), max(y for _, y in met)
    if not _clipped(_clipped(met, (0, 1), people.max), (0, -1), -people.min):
        raise ValueError(
            f"a share with people from {people.min:g} to {people.max:g} cannot be had: with a "
            f"share of landscape from {landscape.min:g} to {landscape.max:g} the clips and the "
            f"rare_floor allow {low:.4g} to {high:.4g}"
        )


def _raised(masses: Shares, floors: Shares) -> Shares:
    """Factors that raise what is below its floor to it and lower the rest, all alike, to fit."""
    low = np.zeros(len(masses), bool)
    while True:
        rest = masses[~low].sum()
        scale = (1 - floors[low].sum()) / rest if rest > 0 else 1.0
        more = ~low & (masses * scale < floors)
        if not more.any():
            return np.where(low, floors / masses, scale)
        low |= more


def _factor(share: float, quota: Quota) -> float:
    """What the group of this share is multiplied by, before all is brought to 1 again."""
    target = min(max(share, quota.min), quota.max)
    return 1.0 if target == share else target * (1 - share) / (share * (1 - target))


def _normal(shares: Shares) -> Shares:
    return np.asarray(shares / shares.sum())


def _clipped(
    polygon: list[tuple[float, float]], direction: tuple[int, int], reach: float
) -> list[tuple[float, float]]:
    """The part of a convex polygon that is at most `reach` along `direction`, its corners."""
    beyond = [x * direction[0] + y * direction[1] - reach for x, y in polygon]
    kept = []
    for number, ((x, y), over) in enumerate(zip(polygon, beyond, strict=True)):
        last_x, last_y = polygon[number - 1]
        last_over = beyond[number - 1]
        if (over > _TOLERANCE) != (last_over > _TOLERANCE):
            part = last_over / (last_over - over)
            kept.append((last_x + part * (x - last_x), last_y + part * (y - last_y)))
        if over <= _TOLERANCE:
            kept.append((x, y))
    return kept
