"""Frozen and repeated frames, from the differences of neighbouring small frames.

A pair is judged by the mean difference and by the largest mean of a block of 1/16 of the width by
1/9 of the height, so that a small subject that moves before a still background is seen.

- Frozen: at least 0.5 s in which no block changes. Encoded stills stay below the threshold even
  where the encoder refines them or starts a new group of pictures.
- Repeated: a frame that differs from the one before by less than a seventh of what the others do.
  Compressed repeats are not bit-equal, but rate conversion (12 to 24 frames a second, 3:2 pulldown,
  slow motion) leaves new frames close by to compare with.

Cost per pair of 256x144 on one thread: 0.02 ms.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

BLOCKS = (16, 9)
"""Blocks across and down."""

CHANGED = 0.6
"""A block has changed if its luma did by this much on average, in steps of 255."""

FROZEN_FROM_S = 0.5

REPEATED = 0.15
"""A repeated frame differs by at most this part of what the frames around it do."""

REPEATED_PEAK = 3.0
"""And no block of it by more than this: a pause before a quick movement is no repeat."""

MOVING = 0.25
"""Where the frames around differ by less than this in the mean, repeats cannot be told."""

NEIGHBOURS = 6
"""Pairs to each side: up to 5 repeats in a row (12 frames a second shown at 60) leave two new."""


class FrameDifference(NamedTuple):
    """How much the luma of a frame differs from the one before, in steps of 255."""

    mean: float
    """Over the picture."""

    peak: float
    """Over the block that differs most."""


def frame_difference(previous_luma: NDArray[np.uint8], luma: NDArray[np.uint8]) -> FrameDifference:
    """The difference of two small frames of equal shape [h, w], such as 144x256."""
    difference = cv2.absdiff(luma, previous_luma)
    blocks = cv2.resize(np.asarray(difference, np.float32), BLOCKS, interpolation=cv2.INTER_AREA)
    return FrameDifference(cv2.mean(blocks)[0], cv2.minMaxLoc(blocks)[1])


def frozen_share(differences: Sequence[FrameDifference], fps: float) -> float:
    """Share of the frames that lie in runs of 0.5 s or more without change, 0 to 1.

    Args:
        differences: one for each pair of neighbouring frames of the clip.
        fps: frames per second.
    """
    if not differences:
        return 0.0
    return float(np.count_nonzero(_frozen(differences, fps))) / (len(differences) + 1)


def repeated_share(differences: Sequence[FrameDifference], fps: float) -> float:
    """Share of the frames that repeat the one before, those in frozen runs left out, 0 to 1.

    Every second frame twice gives 0.5; film at 24 frames a second shown at 30 gives 0.2.

    Args:
        differences: one for each pair of neighbouring frames of the clip.
        fps: frames per second.
    """
    if not differences:
        return 0.0
    means, peaks = np.array(differences).T
    repeats = (means < REPEATED * _around(means, MOVING)) & (
        peaks < np.minimum(REPEATED * _around(peaks, CHANGED), REPEATED_PEAK)
    )
    later_frame_frozen = _frozen(differences, fps)[1:]
    return float(np.count_nonzero(repeats & ~later_frame_frozen)) / (len(differences) + 1)


def _frozen(differences: Sequence[FrameDifference], fps: float) -> NDArray[np.bool_]:
    """[frames] whether each frame is part of a frozen run."""
    same = np.array([difference.peak < CHANGED for difference in differences])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    frozen = np.zeros(len(differences) + 1, bool)
    for first_pair, end_pair in edges.reshape(-1, 2):
        frames = slice(first_pair, end_pair + 1)
        if (frames.stop - frames.start) / fps >= FROZEN_FROM_S:
            frozen[frames] = True
    return frozen


def _around(values: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """The second largest value around each pair (one flash must not hide motion), or 0 if small."""
    padded = np.pad(values, NEIGHBOURS)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    level = np.partition(windows, -2, axis=1)[:, -2]
    return np.where(level >= least, level, 0.0)
