"""Camera motion: the similarity (pan, tilt, zoom, roll) that most vectors of a pair agree on.

A vector d at point p, both complex numbers with the picture's centre as origin, obeys
d = a p + t: the complex a holds zoom and roll, t the shift of the centre. Iteratively reweighted
least squares with the Geman-McClure weight, started at the median vector, leaves out what moves on
its own. The camera moves opposite to the picture: content that runs left is a pan right.

The path is followed without gaps (each pair starts where the last one ended), because the shake is
the departure of the positions, not of the speeds, from their smooth version. At 12 pairs a second
or more it comes out within a few percent; at the 4 of the decode pass, slower than a hand shakes,
it is an estimate (`shake` says how, `benchmarks/accuracy/motion.py` how good).

Cost on one thread: 0.1 ms a pair, 0.2 ms a clip.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.signals.vectors import VectorField

MOST_ITERATIONS = 6

CONVERGED = 0.1
"""The fit ends when a round moves no vector by more than this part of the least scale."""

LEAST_SCALE = 1 / 1500
"""Residuals below this part of the frame height are the flow's own error: all weigh the same."""

AGREEING = 1 / 250
"""A vector agrees with the fit up to this part of the frame height, or a tenth of its length."""

LEAST_TEXTURE = 0.05
"""Flatter points have no say. Much higher would leave a sharp subject alone with itself."""

LEAST_POINTS = 24
"""Fewer textured points than this hold no camera: a black frame, a wall."""

SHAKE_FROM_HZ = 1.0
"""Slower motion than this is intended: the smooth path halves amplitudes at this frequency."""

HAND_HZ = np.arange(1.5, 8.25, 0.25)
"""Frequencies of a hand's shake; its power falls with their square."""


class CameraStep(NamedTuple):
    """One step of the camera's path: the fields of `tables.CAMERA_STEP`."""

    time_s: float
    """Middle of the pair, seconds from the clip's start."""

    pan: float
    """Camera to the right, frame widths per second."""

    tilt: float
    """Camera upwards, frame heights per second."""

    zoom: float
    """Natural log of the scale change per second, positive is in."""

    roll: float
    """Camera clockwise, degrees per second."""

    residual: float
    """Median distance of the vectors from the fit, frame heights per second."""

    inliers: float
    """Share of the vectors that agree with the fit; 0 where nothing holds a fit."""


class CameraMotion(NamedTuple):
    """The camera over a clip: medians of its path, and its shake."""

    pan: float
    tilt: float
    zoom: float
    roll: float
    residual: float
    shake: float
    """RMS departure of the path from its smooth version, frame heights."""


def camera_step(
    field: VectorField, width: int, height: int, time_s: float, seconds: float
) -> CameraStep:
    """The camera between two frames.

    Args:
        field: the vectors between them.
        width: px of the size that the vectors are in.
        height: px of the size that the vectors are in.
        time_s: middle of the pair, seconds from the clip's start.
        seconds: time from the earlier frame to the later.
    """
    held = field.texture >= LEAST_TEXTURE
    if np.count_nonzero(held) < LEAST_POINTS:
        return CameraStep(time_s, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    points, vectors = field.points[held], field.displacements[held]
    weights = field.texture[held] * field.weights[held]
    slope, shift, distances = _fit(points, vectors, weights, LEAST_SCALE * height)
    scale = 1 / (1 - slope)
    agreeing = distances < np.maximum(AGREEING * height, 0.1 * np.abs(vectors))
    return CameraStep(
        time_s=time_s,
        pan=-shift.real / width / seconds,
        tilt=shift.imag / height / seconds,
        zoom=float(np.log(abs(scale))) / seconds,
        roll=-float(np.degrees(np.angle(scale))) / seconds,
        residual=_median(distances) / height / seconds,
        inliers=float(np.mean(agreeing)),
    )


def camera_motion(path: Sequence[CameraStep], aspect: float) -> CameraMotion | None:
    """Medians and shake of a path, or None where no step holds a fit.

    Args:
        path: steps without gaps, in time order.
        aspect: frame width over height.
    """
    held = [step for step in path if step.inliers > 0]
    if not held:
        return None
    medians = np.median(np.array(held)[:, 1:6], axis=0)
    pan, tilt, zoom, roll, residual = (float(median) for median in medians)
    return CameraMotion(pan, tilt, zoom, roll, residual, shake(path, aspect))


def shake(path: Sequence[CameraStep], aspect: float) -> float:
    """RMS distance of the camera's path from its smooth version, in frame heights.

    The path is the picture's centre, and its roll counted as the shift of a point half a frame
    height away. The smooth version is a Whittaker smoother with third differences
    (Eilers 2003): it follows constant speed and constant acceleration exactly, up to the ends.

    Shake faster than half the rate of the steps folds down to slower motion, of which the smooth
    version takes a part. What it takes of a hand's shake (`HAND_HZ`) is made up for: a third at 4
    steps a second, next to nothing from 12 on.

    Args:
        path: steps without gaps, in time order; fewer than 4 have no shake to tell.
        aspect: frame width over height.
    """
    if len(path) < 4:
        return 0.0
    steps = np.array(path, dtype=np.float64)
    seconds = float(np.median(np.diff(steps[:, 0])))
    _, pan, tilt, _, roll, *_ = steps.T
    shifts = np.stack([pan * aspect, tilt, np.radians(roll) / 2], axis=1) * seconds
    positions = np.vstack([np.zeros(3), np.cumsum(shifts, axis=0)])
    count = len(positions)
    third = np.diff(np.eye(count), n=3, axis=0)
    at_cutoff = 2 * np.sin(np.pi * min(SHAKE_FROM_HZ * seconds, 0.5))
    departing = np.eye(count) - np.linalg.inv(np.eye(count) + third.T @ third / at_cutoff**6)
    hand = np.exp(2j * np.pi * seconds * np.outer(np.arange(count), HAND_HZ))
    left = np.average(np.mean(np.abs(departing @ hand) ** 2, axis=0), weights=HAND_HZ**-2)
    return float(np.sqrt(np.mean(np.sum((departing @ positions) ** 2, axis=1)) / left))


def _fit(
    points: NDArray[np.complex64],
    vectors: NDArray[np.complex64],
    weights: NDArray[np.float32],
    least_scale: float,
) -> tuple[complex, complex, NDArray[np.float32]]:
    """`slope` a, `shift` t and each vector's distance from a p + t."""
    slope = 0j
    shift = complex(_median(vectors.real), _median(vectors.imag))
    reach = float(np.abs(points).max())
    for _ in range(MOST_ITERATIONS):
        apart = vectors - slope * points - shift
        squares = apart.real**2 + apart.imag**2
        scale = max(4 * _median(squares), least_scale**2)
        robust = weights / (1 + squares / scale) ** 2
        robust /= robust.sum()
        centre = complex(robust @ points)
        mean = complex(robust @ vectors)
        around = points - centre
        pull = robust * around.conj()
        last_slope, last_shift = slope, shift
        slope = complex(pull @ (vectors - mean)) / max(float((pull @ around).real), 1e-6)
        shift = mean - slope * centre
        if abs(slope - last_slope) * reach + abs(shift - last_shift) < CONVERGED * least_scale:
            break
    return slope, shift, np.abs(vectors - slope * points - shift)


def _median(values: NDArray[np.floating]) -> float:
    """The upper median: a third of the time of `np.median`."""
    middle = values.size // 2
    return float(np.partition(values, middle)[middle])
