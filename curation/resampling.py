"""How often each clip of a subset is shown, so that a common concept does not drown a rare one.

- Concepts are sampled by the square root of their size, so a clip by 1 / sqrt(size) (Mahajan et al.
  2018, Movie Gen).
- A floor for rare concepts and quotas then change the weights as little as they can, see `quotas`.
- Clips of one cell (concept, landscape or not, people or not) have one weight. Whole copies are
  dealt to concepts, then to their cells, by largest remainders, then to clips by hash of their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from curation.concepts import draws
from curation.quotas import Bools, Counts, Quota, Shares, balanced, check_quotas
from curation.settings import Settings

VERSION = 1
"""Raised when the same concepts and settings give other weights or copies."""


class ResamplingSettings(Settings):
    """What the clips of a subset weigh."""

    exponent: float = Field(default=0.5, ge=0, le=1)
    """A clip weighs 1 / size of its concept to this power: 0 leaves the footage as it is, 0.5 is
    Movie Gen's, 1 gives every concept the same share."""

    budget: int | None = Field(default=None, ge=1)
    """Samples to deal out as whole copies; null deals as many as there are clips."""

    rare_floor: int = Field(default=1, ge=0)
    """Of the budget, samples that every concept gets at least, or one per clip if it has fewer."""

    landscape: Quota = Quota()
    """Share of samples that are wider than high."""

    people: Quota = Quota()
    """Share of samples that show people, by score `people`: that of a CLIP in `scores.concept`."""

    seed: int = 0
    """Decides which clips of a concept get a copy more than others."""


@dataclass(frozen=True)
class Resampled:
    """How often each clip is shown, in the order of the clips."""

    weights: npt.NDArray[np.float64]
    """`[N]`, above 0, mean 1."""

    copies: Counts
    """`[N]`, 0 and up, the budget in all."""


def resample(
    clip_ids: Sequence[str],
    concept_ids: npt.NDArray[np.integer],
    landscape: Bools,
    people: Bools,
    settings: ResamplingSettings,
) -> Resampled:
    """Weights and copies of the clips of a subset, each `[N]`; the two agree but for rounding.

    The quotas hold for the weights within 0.0001. Copies of a concept are within one of its share
    of the budget; the quotas hold for copies within a sample where concepts have both kinds.

    Args:
        clip_ids: each once; their order changes nothing but the order of what comes out.
        concept_ids: the concept of each, 0 and up.
        landscape: whether the clip is wider than high.
        people: whether it shows people.
        settings: how.

    Raises:
        ValueError: the floors need more than the budget, or the quotas cannot be met; says what
            the clips allow.
    """
    if not clip_ids:
        return Resampled(np.zeros(0), np.zeros(0, np.int64))
    budget = settings.budget or len(clip_ids)
    kind_of = 2 * landscape.astype(np.int64) + people
    cells, cell_of, sizes = np.unique(
        4 * concept_ids.astype(np.int64) + kind_of, return_inverse=True, return_counts=True
    )
    kind, concept = cells % 4, np.unique(cells // 4, return_inverse=True)[1]
    concept_sizes = _sums(concept, sizes)
    floors = np.minimum(concept_sizes, settings.rare_floor) / budget
    if floors.sum() > 1 + 1e-12:
        raise ValueError(
            f"a rare_floor of {settings.rare_floor} needs {round(floors.sum() * budget)} samples "
            f"for {len(floors)} concepts, the budget is {budget}: raise budget or lower rare_floor"
        )
    quotas = (settings.landscape, settings.people)
    kinds = np.column_stack([kind >= 2, kind % 2 == 1])
    check_quotas(kinds, concept, floors, quotas)
    base = sizes * concept_sizes[concept] ** -settings.exponent
    shares = balanced(base / base.sum(), concept, floors, kinds, quotas)
    return Resampled(
        (shares * len(clip_ids) / sizes)[cell_of],
        _dealt(clip_ids, cell_of, sizes, _cell_copies(shares * budget, concept, kind), settings),
    )


def largest_remainder(quotas: npt.NDArray[np.floating], total: int) -> Counts:
    """Whole numbers that add up to `total`, each within one of its quota times the same factor.

    Of all such numbers they have the least sum of squared errors. Ties go to the first.
    """
    exact = quotas / quotas.sum() * total
    counts: Counts = np.floor(exact + 1e-9).astype(np.int64)
    # Equal remainders must tie in spite of rounding, so that order decides and not the last bit.
    missing = total - int(counts.sum())
    assert 0 <= missing <= len(counts), missing
    counts[np.argsort(-np.round(exact - counts, 9), kind="stable")[:missing]] += 1
    return counts


def _cell_copies(exact: Shares, concept: Counts, kind: Counts) -> Counts:
    """Whole copies of each cell: a largest remainder for concepts, then for the cells of each.

    Rounding each concept by itself can favour one kind everywhere. So copies then move between the
    cells of concepts, first where it costs least, until each kind has its own largest remainder.
    """
    total = round(exact.sum())
    of_concept = largest_remainder(_sums(concept, exact), total)
    counts = np.zeros(len(exact), np.int64)
    starts = np.flatnonzero(np.diff(concept)) + 1
    for number, some in enumerate(np.split(np.arange(len(exact)), starts)):
        counts[some] = largest_remainder(exact[some], int(of_concept[number]))
    wanted = largest_remainder(_sums(kind, exact, 4), total)
    cell = np.full((len(of_concept), 4), -1)
    cell[concept, kind] = np.arange(len(exact))
    for giver, taker in permutations(range(4), 2):
        pairs = cell[(cell[:, giver] >= 0) & (cell[:, taker] >= 0)][:, [giver, taker]]
        while True:
            surplus = np.bincount(kind, counts, minlength=4).astype(np.int64) - wanted
            able = pairs[counts[pairs[:, 0]] > 0]
            moves = min(int(surplus[giver]), -int(surplus[taker]), len(able))
            if moves <= 0:
                break
            over = counts - exact
            gain = np.round(over[able[:, 0]] - over[able[:, 1]], 9)
            chosen = able[np.argsort(-gain, kind="stable")[:moves]]
            counts[chosen] += np.array([-1, 1])
    return counts


def _dealt(
    clip_ids: Sequence[str],
    cell_of: Counts,
    sizes: Counts,
    copies: Counts,
    settings: ResamplingSettings,
) -> Counts:
    """Copies of each clip: those of its cell, evenly; what is left goes to the lowest hashes."""
    order = np.lexsort((draws(clip_ids, settings.seed), cell_of))
    place = np.empty(len(clip_ids), np.int64)
    place[order] = np.arange(len(clip_ids)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    whole, rest = np.divmod(copies, sizes)
    return whole[cell_of] + (place < rest[cell_of])


def _sums(group: Counts, values: npt.NDArray[Any], num_groups: int = 0) -> Shares:
    return np.bincount(group, values, minlength=num_groups).astype(np.float64)
