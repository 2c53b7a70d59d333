"""The camera's motion in words: Movie Gen's 16 classes, from a clip's stored camera path.

Every class is a list of conditions on the features of the path (`captioning.camera_features`), each
met to a degree (`captioning.camera_conditions`): half at its bar, nine tenths at 1.7 times the bar.
The confidence of a class is the degree of its weakest condition; the label is the class that has
most. A camera that turns bends what lies across its way, by the square of frame height over focal
length, and one that travels does not: it moves the near further, the ground below most of all. A
push makes near things grow faster, a zoom all things alike. When a subject is followed, all around
it moves, the ground too; in an arc the ground before the subject hardly moves, or the other way. A
hand sways the whole picture and leads nowhere.

What image motion cannot tell: a zoom looks like a push towards a wall that is faced squarely, so it
is never surer than `camera_conditions.ZOOM_AT_MOST`. A truck or a pedestal past a flat scene, a pan
or a tilt through a long lens, and a pan that follows a subject stay below `CONFIDENT` as well, and
so do diagonals and mixtures. Right and left, up and down, in and out are the camera's: content runs
the other way.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from captioning.camera_conditions import degrees
from captioning.camera_features import camera_features
from curation.signals.camera import CameraStep
from curation.signals.camera import shake as path_shake

VERSION = 1
"""Raised when the same path gets other labels."""

CAMERA_CLASSES = (
    *("zoom in", "zoom out", "push in", "pull out"),
    *("pan right", "pan left", "truck right", "truck left"),
    *("tilt up", "tilt down", "pedestal up", "pedestal down"),
    *("arc shot", "tracking shot", "static shot", "handheld shot"),
)

CONFIDENT = 0.9
"""Labels this sure, or surer, are right 98 times in 100 (`benchmarks/accuracy/camera.py`)."""

LEAST_SPAN_S = 1.0
"""Shortest stretch that is told apart from its neighbours."""

MOST_SPANS = 3

LEAST_CHANGE = 0.03
"""Frame heights per second: mean speeds that differ by less are one motion."""

LEAST_SIGMAS = 4.0
"""And so are those that differ by less than this many standard errors: a hand's swaying."""


class CameraLabel(NamedTuple):
    """A class, and how sure it is, 0 to 1."""

    name: str
    confidence: float


class CameraSegment(NamedTuple):
    """A stretch of a clip, in seconds from its start, in which the camera does one thing."""

    start_s: float
    end_s: float
    label: CameraLabel


def camera_path(clip: Mapping[str, Any]) -> list[CameraStep]:
    """The steps of a clip as they are stored, in its column `camera_path`."""
    return [CameraStep(**step) for step in clip["camera_path"] or ()]


def camera_label(path: Sequence[CameraStep], aspect: float, shake: float) -> CameraLabel | None:
    """The camera motion of a clip.

    Args:
        path: the steps of its `camera_path`, in time order.
        aspect: frame width over height.
        shake: its `camera_shake`, frame heights.

    Returns:
        None where nothing can be told: an image, or no step holds a fit.
    """
    features = camera_features(path, aspect)
    if features is None:
        return None
    found = degrees(features, shake)
    name = max(found, key=lambda one: found[one])
    return CameraLabel(name, round(found[name], 4))


def camera_segments(path: Sequence[CameraStep], aspect: float) -> list[CameraSegment]:
    """What the camera does first, and then, and then: at most three stretches, in time order.

    The path is cut where the means of its speeds on both sides differ most, a second or more from
    every end and other cut; neighbours with one name become one stretch again, and so do all where
    the clip as a whole is surer than its parts.

    Args:
        path: the steps of the clip's `camera_path`, in time order.
        aspect: frame width over height.

    Returns:
        Stretches that touch each other and cover the path; none where nothing can be told.
    """
    if not any(step.inliers > 0 for step in path):
        return []
    speeds = _speeds(path, aspect)
    seconds = float(np.median(np.diff([step.time_s for step in path]))) if len(path) > 1 else 0.0
    least = max(2, round(LEAST_SPAN_S / seconds)) if seconds else len(path)
    edges = [0, len(path)]
    while len(edges) <= MOST_SPANS:
        cuts = [_cut(speeds, first, end, least) for first, end in pairwise(edges)]
        change, cut = max(cuts)
        if change < LEAST_CHANGE:
            break
        edges = sorted([*edges, cut])
    spans = [(first, end, _label(path[first:end], aspect)) for first, end in pairwise(edges)]
    spans = _merged(spans, path, aspect)
    whole = _label(path, aspect)
    if whole.confidence >= CONFIDENT > min(label.confidence for *_, label in spans):
        spans = [(0, len(path), whole)]
    return [
        CameraSegment(path[first].time_s - seconds / 2, path[end - 1].time_s + seconds / 2, label)
        for first, end, label in spans
    ]


Span = tuple[int, int, CameraLabel]
"""First step, the one after the last, label."""


def _merged(spans: list[Span], path: Sequence[CameraStep], aspect: float) -> list[Span]:
    """The spans, neighbours with the same name made one."""
    merged: list[Span] = []
    for first, end, label in spans:
        if merged and merged[-1][2].name == label.name:
            first = merged.pop()[0]
            label = _label(path[first:end], aspect)
        merged.append((first, end, label))
    return merged


def _label(path: Sequence[CameraStep], aspect: float) -> CameraLabel:
    label = camera_label(path, aspect, path_shake(path, aspect))
    return label or CameraLabel("static shot", 0.0)


def _speeds(path: Sequence[CameraStep], aspect: float) -> NDArray[np.float64]:
    """[N, 3] shift to the right and upwards, and growth, frame heights per second."""
    return np.array([(step.pan * aspect, step.tilt, step.zoom / 2) for step in path])


def _cut(speeds: NDArray[np.float64], first: int, end: int, least: int) -> tuple[float, int]:
    """How far the mean speeds before and after the best cut differ, and where that is.

    The best cut explains most of the squares, so a change in the middle counts more than one at an
    end. The difference is 0 where it may as well be chance.
    """
    best, found = 0.0, (0.0, first)
    for cut in range(first + least, end - least + 1):
        before, after = speeds[first:cut], speeds[cut:end]
        change = float(np.linalg.norm(before.mean(axis=0) - after.mean(axis=0)))
        explained = change**2 * len(before) * len(after) / (end - first)
        if explained > best:
            within = float(
                before.var(axis=0).sum() * len(before) + after.var(axis=0).sum() * len(after)
            )
            sure = explained >= LEAST_SIGMAS**2 * within / (end - first)
            best, found = explained, (change if sure else 0.0, cut)
    return found
