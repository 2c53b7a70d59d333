"""Stills shown as video: time in which pan and zoom of one still explain all that is seen.

Each step of the camera path is undone on the earlier small frame; what is left, block by block and
relative to the block's own gradient, says how far (in px of the small frame) anything lies from
where the camera alone would have put it. A moved still leaves interpolation errors; parallax,
perspective and moving subjects leave more. A still counts only if it lasts a second, and if the
camera keeps its speed as programmes do, up to the whole-pixel jitter of FFmpeg's `zoompan`; a hand
does not.

A tripod shot in which nothing moves is a still by this measure too, and a slow pan of a distant
view comes close: 0.145 px where rendered stills had 0.04 to 0.13.

Cost on one thread: 0.25 ms a step at 256x144.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from curation.signals.camera import CameraStep
from curation.signals.repeats import BLOCKS

EXPLAINED_PX = 0.14
"""Largest displacement left in any block of a moved still: the median over a second."""

OUTLIER_PX = 0.22
"""And at most this in any step of the second."""

FITTED_PX = 0.6
"""Where the camera's fit leaves the median vector this far off, in small px, no still is moved."""

GRADIENT_FLOOR = 4.0
"""Luma steps added to a block's gradient: compression alters flat blocks by about that share."""

STEADY = 0.035
"""Speeds of neighbouring steps differ by at most this, frame heights per second."""

STILL_FROM_S = 1.0


def unexplained_px(
    previous_luma: NDArray[np.uint8], luma: NDArray[np.uint8], step: CameraStep, seconds: float
) -> float:
    """How far the block that fits worst lies from where the camera alone puts it, in small px.

    Infinite where the camera does not even hold the median vector: most live footage. Where a block
    in the middle third is beyond `OUTLIER_PX`, the worst of that third: it is no still anyway.

    Args:
        previous_luma: the earlier small frame, [h, w].
        luma: the later one.
        step: the camera between them.
        seconds: time between them.
    """
    height, width = luma.shape
    if step.residual * seconds * height > FITTED_PX:
        return math.inf
    # The inverse of `camera_step`: where each pixel of the later frame came from.
    turn = np.exp(-step.zoom * seconds + 1j * np.radians(step.roll * seconds))
    shift = complex(-step.pan * width, step.tilt * height) * seconds
    centre = complex(width - 1, height - 1) / 2
    offset = centre - turn * centre - shift
    matrix = np.array([[turn.real, -turn.imag, offset.real], [turn.imag, turn.real, offset.imag]])
    # The outer blocks show what the earlier frame did not.
    middle = _worst(previous_luma, luma, matrix, height // 3, 2 * height // 3)
    return middle if middle > OUTLIER_PX else _worst(previous_luma, luma, matrix, 0, height)


def slideshow_share(
    path: Sequence[CameraStep], unexplained: Sequence[float], aspect: float
) -> float:
    """Share of the time that is a still, or a still moved by pan and zoom alone, 0 to 1.

    Args:
        path: steps without gaps, in time order.
        unexplained: `unexplained_px` of each step.
        aspect: frame width over height.
    """
    steps = np.array(path)
    if len(path) < 2:
        return 0.0
    second = int(np.ceil(STILL_FROM_S / np.median(np.diff(steps[:, 0])) - 0.01))
    if len(path) < second or second < 2:
        return 0.0
    speed = np.stack(
        [steps[:, 1] * aspect, steps[:, 2], steps[:, 3] / 2, np.radians(steps[:, 4]) / 2], axis=1
    )
    change = np.linalg.norm(np.diff(speed, axis=0), axis=1)
    windows = np.lib.stride_tricks.sliding_window_view
    left = windows(np.array(unexplained), second)
    steady = (windows(change, second - 1) <= STEADY).all(axis=1)
    still = steady & (np.median(left, axis=1) <= EXPLAINED_PX) & (left <= OUTLIER_PX).all(axis=1)
    return float(np.mean(np.convolve(still, np.ones(second)) > 0))


def _worst(
    previous_luma: NDArray[np.uint8],
    luma: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    first: int,
    end: int,
) -> float:
    """The displacement of the block that fits worst among rows `first` to `end`, in px."""
    height, width = luma.shape
    warped = cv2.warpAffine(
        previous_luma,
        np.column_stack([matrix[:, :2], matrix[:, 2] + first * matrix[:, 1]]),
        (width, end - first),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    rows = luma[first:end]
    gradient = cv2.morphologyEx(rows, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    size = (BLOCKS[0], max(1, round(BLOCKS[1] * (end - first) / height)))
    left, steep = (
        cv2.resize(np.asarray(one, np.float32), size, interpolation=cv2.INTER_AREA)
        for one in (cv2.absdiff(warped, rows), gradient)
    )
    shares = np.asarray(left / (steep + GRADIENT_FLOOR), np.float32)
    inside = shares[1:-1, 1:-1] if end - first == height else shares[:, 1:-1]
    return float(inside.max())
