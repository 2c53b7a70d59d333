"""Camera motion: the similarity (pan, tilt, zoom, roll) that most vectors of a pair agree on.

A vector d at point p, both complex numbers with the picture's centre as origin, obeys
d = a p + t: the complex a holds zoom and roll, t the shift of the centre. Iteratively reweighted
least squares with the Geman-McClure weight, started at the median vector, leaves out what moves on
its own. The camera moves opposite to the picture: content that runs left is a pan right.

The path is followed without gaps (each pair starts where the last one ended), because the shake is
the departure of the positions, not of the speeds, from their smooth version. At 12 pairs a second
or more it comes out within a few percent; at the 4 of the decode pass, slower than a hand shakes,
it is an estimate (`shake` says how, `benchmarks/accuracy/motion.py` how good).

What the similarity leaves says whether the camera turns or travels (`captioning.camera` reads it):
a camera that turns or zooms moves near and far alike, and a turn bends lines that run across it
(`keystone`); one that travels moves the near further, along the way that the far goes (`ahead`,
`behind`, `bend_x`, `bend_y`); what is followed stays in the middle while all around it moves. What
moves on its own before a camera that does not travel is `subject_*`.

Cost on one thread: 0.2 ms a pair, 0.2 ms a clip.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.signals.parallax import Left, bends, departures, keystone, region_shifts, upper_median
from curation.signals.subject import DEPARTING, subject
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

REGIONS = ("middle", "around", "lower")
"""Regions of the picture whose own pan and tilt a step tells."""


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

    keystone: float = 0.0
    """How fast the shift bends what lies across it, frame heights per second at one frame height
    from the centre both ways: under a turning camera its speed by (frame height / focal length)^2,
    under one that travels 0, whatever the scene."""

    bend_x: float = 0.0
    """How much `zoom` grows to the right, per frame height: 0 under a zoom, not so under a push
    towards anything but a wall that is faced squarely."""

    bend_y: float = 0.0
    """How much `zoom` grows downwards, per frame height."""

    ahead: float = 0.0
    """Mean speed of the vectors beyond the fit, along the fit, frame heights per second: what is
    nearer than the rest, under a camera that travels."""

    behind: float = 0.0
    """Mean speed by which vectors fall short of the fit, along it, frame heights per second."""

    stray: float = 0.0
    """Mean speed across the fit, frame heights per second: noise, and subjects of their own."""

    middle_pan: float = 0.0
    """`pan` by the median vector of the middle third across and half down."""

    middle_tilt: float = 0.0
    """`tilt` by the same."""

    around_pan: float = 0.0
    """`pan` by the median vector of what is neither in the middle nor in the lowest quarter."""

    around_tilt: float = 0.0
    """`tilt` by the same."""

    lower_pan: float = 0.0
    """`pan` by the median vector of the lowest quarter."""

    lower_tilt: float = 0.0
    """`tilt` by the same."""

    subject_share: float = 0.0
    """Share of the area with vectors whose vectors depart from the fit: what moves on its own, if
    the camera does not travel."""

    subject_x: float = 0.0
    """Where that is: its middle to the right of the centre, frame widths."""

    subject_y: float = 0.0
    """Its middle above the centre, frame heights."""

    subject_right: float = 0.0
    """Its mean motion less the camera's, to the right, frame widths per second."""

    subject_up: float = 0.0
    """The same upwards, frame heights per second."""


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
    field: VectorField,
    width: int,
    height: int,
    time_s: float,
    seconds: float,
    rotation_deg: int = 0,
) -> CameraStep:
    """The camera between two frames.

    Args:
        field: the vectors between them.
        width: px of the size that the vectors are in.
        height: px of the size that the vectors are in.
        time_s: middle of the pair, seconds from the clip's start.
        seconds: time from the earlier frame to the later.
        rotation_deg: clockwise turn from the stored to the displayed frame: it says which region is
            the lowest. All numbers that are told are those of the stored frame.
    """
    held = field.texture >= LEAST_TEXTURE
    if np.count_nonzero(held) < LEAST_POINTS:
        return CameraStep(time_s, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    points, vectors = field.points[held], field.displacements[held]
    weights = field.texture[held] * field.weights[held]
    slope, shift, distances = _fit(points, vectors, weights, LEAST_SCALE * height)
    scale = 1 / (1 - slope)
    agreeing = distances < np.maximum(AGREEING * height, 0.1 * np.abs(vectors))
    # The middle of each vector stands for both of its ends.
    places = np.asarray((points - vectors / 2) / height, np.complex64)
    apart = np.asarray((vectors - slope * points - shift) / height, np.complex64)
    left = Left(places, apart, weights / weights.sum())
    way = shift / abs(shift) if shift else 1.0
    bend_x, bend_y = bends(left, slope.real)
    ahead, behind, stray = departures(left, slope.real, shift / height)
    moved = region_shifts(points, vectors, shift, (width, height), rotation_deg)
    shown_height = height if rotation_deg % 180 == 0 else width
    own = subject(left, DEPARTING * shown_height / height)
    return CameraStep(
        time_s=time_s,
        pan=-shift.real / width / seconds,
        tilt=shift.imag / height / seconds,
        zoom=float(np.log(abs(scale))) / seconds,
        roll=-float(np.degrees(np.angle(scale))) / seconds,
        residual=upper_median(distances) / height / seconds,
        inliers=float(np.mean(agreeing)),
        keystone=keystone(left, way) / seconds,
        bend_x=bend_x / seconds,
        bend_y=bend_y / seconds,
        ahead=ahead / seconds,
        behind=behind / seconds,
        stray=stray / seconds,
        middle_pan=-moved.middle.real / width / seconds,
        middle_tilt=moved.middle.imag / height / seconds,
        around_pan=-moved.around.real / width / seconds,
        around_tilt=moved.around.imag / height / seconds,
        lower_pan=-moved.lower.real / width / seconds,
        lower_tilt=moved.lower.imag / height / seconds,
        subject_share=own.share,
        subject_x=own.place.real * height / width,
        subject_y=-own.place.imag,
        subject_right=own.vector.real * height / width / seconds,
        subject_up=-own.vector.imag / seconds,
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
    shift = complex(upper_median(vectors.real), upper_median(vectors.imag))
    reach = float(np.abs(points).max())
    for _ in range(MOST_ITERATIONS):
        apart = vectors - slope * points - shift
        squares = apart.real**2 + apart.imag**2
        scale = max(4 * upper_median(squares), least_scale**2)
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
