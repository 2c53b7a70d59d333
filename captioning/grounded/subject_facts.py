"""Facts on what moves on its own before a camera that stays: where it starts, where it goes.

What it is, no embedded model sees; that it moves, and how, the path of the decode pass tells.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from captioning.grounded.facts import Fact
from curation.signals.camera import CameraStep

LEAST_SHARE = 0.015
"""Of the view that has to move for a step to count."""

LEAST_STEPS = 4
"""Steps that have to count, a second's worth."""

CROSSED = 0.3
"""Frame widths, or heights, that a subject has to travel for its way to be told."""

STEADY = 0.6
"""Least part of its whole way that has to lead there: less is to and fro."""

ASIDE = 0.17
"""Distance from the centre, of the view's width or height, of what is on one side."""

LARGE, SMALL = 0.25, 0.05
"""Shares of the view."""


def mover_facts(path: Sequence[CameraStep]) -> Iterator[Fact]:
    """What something does that moves, if anything does.

    A fact `stays` has no sentence of its own: it tells where the movement is.

    Args:
        path: of a camera that stays where it is.
    """
    if len(path) < 2 * LEAST_STEPS:
        return
    share = np.array([step.subject_share for step in path])
    moves = share >= LEAST_SHARE
    if moves.sum() < LEAST_STEPS:
        return
    steps = [step for step, counts in zip(path, moves, strict=True) if counts]
    seconds = float(np.median(np.diff([step.time_s for step in path])))
    yield from _way(steps, seconds)
    yield from _size(share[moves])
    yield from _begins(moves)


def _way(steps: Sequence[CameraStep], seconds: float) -> Iterator[Fact]:
    """From where to where, or where it stays."""
    across = np.array([step.subject_right for step in steps]) * seconds
    up = np.array([step.subject_up for step in steps]) * seconds
    x = np.array([step.subject_x for step in steps])
    y = np.array([step.subject_y for step in steps])
    for moved, at, ways, ends in (
        (across, x, ("to the right", "to the left"), ("left", "right")),
        (up, y, ("upwards", "downwards"), ("bottom", "top")),
    ):
        net, whole = float(moved.sum()), float(np.abs(moved).sum())
        if abs(net) < CROSSED or abs(net) < STEADY * whole:
            continue
        first, last = (float(part.mean()) for part in (_third(at, 0), _third(at, 2)))
        shown = f"moved {net:+.2f} of {whole:.2f}, from {first:+.2f} to {last:+.2f}"
        if (last - first) * np.sign(net) > ASIDE and min(first, last) < 0 < max(first, last):
            one, other = ends if net > 0 else ends[::-1]
            yield Fact("crosses", (one, other), shown)
        else:
            yield Fact("goes", (ways[net < 0],), shown)
        return
    if max(float(x.std()), float(y.std())) < ASIDE:
        place = _place(float(x.mean()), float(y.mean()))
        yield Fact("stays", (place,), f"place {x.mean():+.2f} {y.mean():+.2f}")


def _third(values: npt.NDArray[np.float64], number: int) -> npt.NDArray[np.float64]:
    return np.array_split(values, 3)[number]


def _place(x: float, y: float) -> str:
    if max(abs(x), abs(y)) < ASIDE:
        return "in the middle"
    if abs(x) >= abs(y):
        return "on the left" if x < 0 else "on the right"
    return "in the lower part" if y < 0 else "in the upper part"


def _size(shares: npt.NDArray[np.float64]) -> Iterator[Fact]:
    middle = float(np.median(shares))
    if middle >= LARGE or middle < SMALL:
        word = "large" if middle >= LARGE else "small"
        yield Fact("mover_size", (word,), f"share {middle:.2f}")


def _begins(moves: npt.NDArray[np.bool_]) -> Iterator[Fact]:
    """Whether it moves only from some moment on, or only up to one."""
    at = np.flatnonzero(moves)
    first, last = at[0] / len(moves), (at[-1] + 1) / len(moves)
    if first >= 1 / 3 and last > 0.8:
        yield Fact("begins", (), f"moves from {first:.0%} on")
    elif last <= 2 / 3 and first < 0.2:
        yield Fact("comes_to_rest", (), f"moves up to {last:.0%}")
