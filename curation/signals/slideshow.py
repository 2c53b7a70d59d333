"""Stills shown as video: time in which pan and zoom of one still explain all that is seen.

Each step of the camera path is undone on the earlier small frame; what is left, block by block and
relative to the block's own gradient, says how far (in px of the small frame) anything lies from
where the camera alone would have put it. A moved still leaves interpolation errors; parallax and
moving subjects leave more. A still counts only where the camera also moves like a programme: its
speed constant, or eased, through at least a second. A hand never does that.

A tripod shot in which nothing moves is a still by this measure too.

Cost on one thread: 0.15 ms a step at 256x144.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from curation.signals.camera import CameraStep
from curation.signals.repeats import BLOCKS

EXPLAINED_PX = 0.22
"""Largest displacement left in any block of a moved still."""

GRADIENT_FLOOR = 4.0
"""Luma steps added to a block's gradient: compression alters flat blocks by about that share."""

STEADY = 0.01
EASED = 0.2
"""Speeds of neighbouring steps differ by at most this: frame heights per second, or part."""

STILL_FROM_S = 1.0


def unexplained_px(
    previous_luma: NDArray[np.uint8], luma: NDArray[np.uint8], step: CameraStep, seconds: float
) -> float:
    """How far the block that fits worst lies from where the camera alone puts it, in small px.

    Args:
        previous_luma: the earlier small frame, [h, w].
        luma: the later one.
        step: the camera between them.
        seconds: time between them.
    """
    height, width = luma.shape
    # The inverse of `camera_step`: where each pixel of the later frame came from.
    turn = np.exp(-step.zoom * seconds + 1j * np.radians(step.roll * seconds))
    shift = complex(-step.pan * width, step.tilt * height) * seconds
    centre = complex(width - 1, height - 1) / 2
    offset = centre - turn * centre - shift
    matrix = np.array([[turn.real, -turn.imag, offset.real], [turn.imag, turn.real, offset.imag]])
    warped = cv2.warpAffine(
        previous_luma,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    gradient = cv2.morphologyEx(luma, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    # The outer blocks show what the earlier frame did not.
    left = _block_means(cv2.absdiff(warped, luma))[1:-1, 1:-1]
    return float((left / (_block_means(gradient)[1:-1, 1:-1] + GRADIENT_FLOOR)).max())


def slideshow_share(
    path: Sequence[CameraStep], unexplained: Sequence[float], aspect: float
) -> float:
    """Share of the time that is a still, or a still moved by pan and zoom alone, 0 to 1.

    Args:
        path: steps without gaps, in time order.
        unexplained: `unexplained_px` of each step.
        aspect: frame width over height.
    """
    if len(path) < 2:
        return 0.0
    steps = np.array(path)
    seconds = float(np.median(np.diff(steps[:, 0])))
    speed = np.stack(
        [steps[:, 1] * aspect, steps[:, 2], steps[:, 3] / 2, np.radians(steps[:, 4]) / 2], axis=1
    )
    change = np.linalg.norm(np.diff(speed, axis=0), axis=1)
    allowed = STEADY + EASED * np.linalg.norm(speed[1:], axis=1)
    explained = np.array(unexplained) <= EXPLAINED_PX
    joined = explained[1:] & explained[:-1] & (change <= allowed)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], joined, [False]]).astype(np.int8)))
    steps_in_run = edges.reshape(-1, 2) @ np.array([-1, 1]) + 1
    still_steps = steps_in_run[steps_in_run * seconds >= STILL_FROM_S].sum()
    return float(still_steps) / len(path)


def _block_means(image: cv2.typing.MatLike) -> NDArray[np.float32]:
    means = cv2.resize(np.asarray(image, np.float32), BLOCKS, interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float32)
