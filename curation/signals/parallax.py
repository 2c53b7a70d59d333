"""What the camera's fit leaves of the vectors: whether it turns or travels, and what it follows.

A vector under a camera that turns and zooms does not depend on how far away its point is: beside
the similarity there is only the bend of a turn, p (p . t) / f^2 for shift t, point p and focal
length f. Under one that travels, a vector runs along the line through the point and the focus of
expansion, by as much as the point is near: what is left lies along the fit, and never across it.
So what bends across the shift (`keystone`) is proof of a turn, and what departs along the fit but
not across it (`departures`, `bends`) of travel.

All places and lengths are complex numbers, y down, in frame heights; the centre is the origin.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NOISE = 1 / 1500
"""The flow's own error, frame heights."""

LEAST_REGION = 8
"""A region with fewer points than this is taken to move as the fit has it."""

MIDDLE = (1 / 6, 1 / 4)
"""The middle region reaches this far from the centre, frame widths and heights."""

LOWER = 1 / 4
"""The lower region begins this far below the centre, frame heights: the ground, if there is one."""

SINGULAR = 1e-9
"""Least-squares problems whose determinant is below this hold nothing: all points on a line."""


class Left(NamedTuple):
    """What a fit leaves of the vectors."""

    places: NDArray[np.complex64]
    """[N] where the vectors are."""

    vectors: NDArray[np.complex64]
    """[N] the vectors less the fit."""

    weights: NDArray[np.float32]
    """[N], of sum 1."""


class RegionShifts(NamedTuple):
    """Median vectors, in the unit of the vectors."""

    middle: complex
    around: complex
    lower: complex


def keystone(left: Left, way: complex) -> float:
    """What is left across the shift, as a multiple of place along it times place across it.

    Under a turning camera that is the shift by (frame height / focal length)^2.

    Args:
        left: what the fit leaves.
        way: direction of the shift, of length 1.
    """
    back = np.complex64(way).conjugate()
    turned, across = left.places * back, (left.vectors * back).imag
    x, y = turned.real, turned.imag
    squares = _squares(left.vectors)
    robust = left.weights / (1 + squares / max(4 * upper_median(squares), NOISE**2)) ** 2
    return float(_solved(np.stack([np.ones_like(x), x, y, x * y]), across, robust)[3])


def bends(left: Left, growth: float) -> tuple[float, float]:
    """How much the growth grows to the right and downwards, per frame height.

    Args:
        left: what the fit leaves.
        growth: of the fit, per pair: what departs by more than it is no part of a bend.
    """
    p, radius = left.places, np.abs(left.places)
    own = np.maximum(abs(growth) * radius, NOISE)
    robust = left.weights / (1 + _squares(left.vectors) / own**2) ** 2
    robust /= robust.sum()
    # Shift and similarity once more, as these weights have them, out of both sides.
    around = p - robust @ p
    pull = robust * around.conj() / max(float(robust @ _squares(around)), 1e-9)
    columns = np.stack([p * p.real, p * p.imag, left.vectors])
    columns -= (columns @ robust)[:, None]
    columns -= (columns @ pull)[:, None] * around
    moments = ((columns * robust) @ columns.conj().T).real
    (xx, xy, x), (_, yy, y), _ = moments
    determinant = xx * yy - xy * xy
    if determinant < SINGULAR:
        return 0.0, 0.0
    return float((yy * x - xy * y) / determinant), float((xx * y - xy * x) / determinant)


def departures(left: Left, growth: float, shift: complex) -> tuple[float, float, float]:
    """Mean lengths ahead of the fit, behind it, and across it; none counts for more than the fit.

    Args:
        left: what the fit leaves.
        growth: of the fit, per pair.
        shift: of the fit.
    """
    own = growth * left.places + np.complex64(shift)
    lengths = np.abs(own)
    turned = left.vectors * own.conj() / np.maximum(lengths, 1e-9)
    ahead = left.weights @ np.clip(turned.real, 0, lengths)
    behind = left.weights @ np.clip(-turned.real, 0, lengths)
    return (
        float(ahead),
        float(behind),
        float(left.weights @ np.minimum(np.abs(turned.imag), lengths)),
    )


def region_shifts(
    points: NDArray[np.complex64],
    vectors: NDArray[np.complex64],
    shift: complex,
    size: tuple[int, int],
    rotation_deg: int,
) -> RegionShifts:
    """The median vectors of the middle, of what is around it, and of the lowest quarter.

    Args:
        points: [N] px from the centre of the stored frame.
        vectors: [N] in any unit.
        shift: what a region without points is taken to do.
        size: width and height of the stored frame, px.
        rotation_deg: clockwise turn from the stored to the displayed frame.
    """
    quarters = rotation_deg // 90
    width, height = size if quarters % 2 == 0 else size[::-1]
    shown = points * np.complex64(1j**quarters)
    x, y = shown.real / width, shown.imag / height
    lower = y > LOWER
    middle = (np.abs(x) < MIDDLE[0]) & (np.abs(y) < MIDDLE[1])
    found = []
    for region in (middle, ~middle & ~lower, lower):
        inside = vectors[region]
        held = inside.size >= LEAST_REGION
        moved = complex(upper_median(inside.real), upper_median(inside.imag)) if held else shift
        found.append(moved)
    return RegionShifts(*found)


def upper_median(values: NDArray[np.floating]) -> float:
    """A third of the time of `np.median`."""
    middle = values.size // 2
    return float(np.partition(values, middle)[middle])


def _squares(values: NDArray[np.complex64]) -> NDArray[np.float32]:
    return values.real**2 + values.imag**2


def _solved(
    columns: NDArray[np.float32], wanted: NDArray[np.float32], weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Weighted least squares, [C]; zeros where the columns hold no solution."""
    weighted = columns * weights
    matrix = (weighted @ columns.T).astype(np.float64)
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-12))
    matrix /= np.outer(scale, scale)
    if np.linalg.det(matrix) < SINGULAR:
        return np.zeros(len(columns))
    return np.asarray(np.linalg.solve(matrix, (weighted @ wanted) / scale) / scale)
