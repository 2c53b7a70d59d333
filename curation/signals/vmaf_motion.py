"""The VMAF motion feature: how much the blurred luma of neighbouring frames differs.

FFmpeg's `vmafmotion` filter (libavfilter/vf_vmafmotion.c) blurs each frame with a Gaussian of
5 taps and sigma 1 and takes the mean absolute difference of neighbours on the 8-bit scale. A blur
is linear, so blurring the one difference gives the same number for half the work.

To leave out pairs would be the wrong saving: the difference follows the encoder's rhythm of P and B
frames and of repeated frames, and the mean over every 4th pair was off by up to 58 % of a clip's.
`row_sampled_vmaf_motion` takes every pair and some of its rows instead (12 of a large frame, more
of a small one), other rows for every second pair: the benchmark tells how near it comes. Nor does a
smaller plane help: it changes the blur, and so the number.

Cost per pair on one thread: exact 0.6 ms, row-sampled 0.08 ms at 1280x720.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

GAUSSIAN = np.array([0.054488685, 0.244201342, 0.402619947, 0.244201342, 0.054488685], np.float32)
"""The taps of the filter, to its own digits."""

LEAST_ROWS = 12
"""Rows of a frame that are sampled, evenly spaced, at least."""

LEAST_PX = 12 * 1280
"""Pixels of these rows, at least: narrower frames give more rows, which cost no more."""

PAIRS = 2
"""So many pairs in a row look at the same rows: a frame's are copied once for both its pairs."""

GOLDEN = (5**0.5 - 1) / 2
"""How far they move then, as a part of their distance.

A whole number of rows would, for some height of the frame, be a multiple of the distance and take
the same rows every time; multiples of the golden section never meet and spread evenly.
"""

SCALE = 128
"""int16 keeps 7 bits below the point, as the filter does: 255 x 128 still fits."""


def vmaf_motion(previous_luma: NDArray[np.uint8], luma: NDArray[np.uint8]) -> float:
    """The mean absolute difference of the two blurred frames: 0 (same) to 255.

    Args:
        previous_luma: the frame before, [H, W]; a view of a decoder's plane will do.
        luma: the frame, [H, W].

    Returns:
        What `vmafmotion` reports for the second frame, 8-bit luma steps per pixel.

    Raises:
        ValueError: the two frames differ in shape.
    """
    _check(previous_luma, luma)
    return _mean_magnitude(_blurred_difference(previous_luma, luma))


def row_sampled_vmaf_motion(
    previous_luma: NDArray[np.uint8], luma: NDArray[np.uint8], pair: int
) -> float:
    """`vmaf_motion` of some rows, evenly spaced; `pair`, counted from 0, says which.

    Args:
        previous_luma: the frame before, [H, W]; a view of a decoder's plane will do.
        luma: the frame, [H, W].
        pair: the index of the pair.

    Raises:
        ValueError: the two frames differ in shape.
    """
    _check(previous_luma, luma)
    return vmaf_motion_of_rows(sampled_rows(previous_luma, pair), sampled_rows(luma, pair))


def sampled_rows(luma: NDArray[np.uint8], pair: int) -> NDArray[np.uint8]:
    """The rows of a frame that a pair is measured by, each with its neighbours: [5 * rows, W].

    A copy: who keeps it need not keep the frame. Small frames give all their rows.

    Args:
        luma: a frame of the pair, [H, W].
        pair: the index of the pair.
    """
    height, width = luma.shape
    num_rows = max(LEAST_ROWS, LEAST_PX // width)
    if height < num_rows * len(GAUSSIAN):
        reach = len(GAUSSIAN) // 2
        padded = cv2.copyMakeBorder(luma, reach, reach, 0, 0, cv2.BORDER_REFLECT_101)
        luma, num_rows = np.asarray(padded, np.uint8), height
    return luma.take(_rows_of(height, num_rows, pair), axis=0)


def rows_for_both(
    luma: NDArray[np.uint8], pair: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The `sampled_rows` of a frame for `pair`, which it ends, and the next, which it begins."""
    rows = sampled_rows(luma, pair)
    is_same = pair // PAIRS == (pair + 1) // PAIRS
    return rows, rows if is_same else sampled_rows(luma, pair + 1)


def vmaf_motion_of_rows(previous: NDArray[np.uint8], rows: NDArray[np.uint8]) -> float:
    """`row_sampled_vmaf_motion` from the `sampled_rows` of both frames of a pair."""
    # By way of integers, which takes half the time.
    difference = np.subtract(rows, previous, dtype=np.int16).astype(np.float32)
    # Of each band of 5 rows only the middle one has all its neighbours, and only it is blurred.
    middles = np.matmul(GAUSSIAN, difference.reshape(-1, len(GAUSSIAN), rows.shape[1]))
    blurred = cv2.sepFilter2D(middles, cv2.CV_32F, GAUSSIAN, np.ones(1, np.float32))
    return float(cv2.norm(blurred, cv2.NORM_L1) / middles.size)


@lru_cache(maxsize=4)  # both frames of a pair ask
def _rows_of(height: int, num_rows: int, pair: int) -> NDArray[np.intp]:
    """The rows that a pair is measured by, in bands of 5; of a small frame, all of its padding."""
    num_taps = len(GAUSSIAN)
    if num_rows == height:
        top = np.arange(height)
    else:
        spacing = (height - num_taps + 1) / num_rows
        top = ((np.arange(num_rows) + pair // PAIRS * GOLDEN % 1) * spacing).astype(np.intp)
    return (top[:, None] + np.arange(num_taps)).ravel()


def _blurred_difference(
    previous_luma: NDArray[np.uint8], luma: NDArray[np.uint8]
) -> cv2.typing.MatLike:
    difference = cv2.subtract(luma, previous_luma, dtype=cv2.CV_16S)
    return cv2.sepFilter2D(difference, cv2.CV_16S, GAUSSIAN * 16, GAUSSIAN * (SCALE // 16))


def _check(previous_luma: NDArray[np.uint8], luma: NDArray[np.uint8]) -> None:
    if previous_luma.shape != luma.shape:
        raise ValueError(f"frames of {previous_luma.shape} and {luma.shape} make no pair")


def _mean_magnitude(scaled: cv2.typing.MatLike) -> float:
    return float(cv2.norm(scaled, cv2.NORM_L1)) / (SCALE * scaled.size)
