"""Where text stands in a picture, from the probability map of a text detector.

Differentiable binarisation, Liao et al. 2020 (https://arxiv.org/abs/1911.08947): the network paints
the core of each line of text; the core's rectangle, grown by as much as training shrank it, is the
line's. Thresholds are those that PP-OCRv6 ships with.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Corners = npt.NDArray[np.float32]
"""Of a line of text: top left, top right, bottom right, bottom left as it is read; x, y in px,
`[4, 2]`."""

INK = 0.3
"""Probability above which a pixel belongs to a core."""

LEAST_SCORE = 0.5
"""Mean probability inside the rectangle of a core that is text."""

GROWTH = 1.6
"""Each side moves out by this many times area over perimeter."""

LEAST_SIDE_PX = 3
MOST_BOXES = 200
"""No frame holds more lines that anyone could read; noise may."""

UPRIGHT = 1.5
"""A box so many times higher than wide is a line turned by 90 degrees."""

SIDE_STEP_PX = 32
"""The network takes sides of whole multiples."""

LINE_PX = 48
"""Height of a line as the recogniser reads it."""


class Box(NamedTuple):
    """A line of text."""

    corners: Corners
    """In the frame."""

    score: float
    """Mean probability of text, 0 to 1."""


def detection_size(height: int, width: int, longest_px: int) -> tuple[int, int]:
    """Height and width, px, at which a frame is searched: shrunk if larger, never enlarged."""
    part = min(1.0, longest_px / max(height, width))
    return _whole_steps(height * part), _whole_steps(width * part)


def text_boxes(probability: npt.NDArray[np.float32], height: int, width: int) -> list[Box]:
    """The lines of text in a probability map, as boxes in a frame of `height` x `width`.

    Args:
        probability: of text, `[h, w]`, of the whole frame.
        height: of the frame, px.
        width: of the frame, px.
    """
    cores = cv2.dilate((probability > INK).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(cores, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    scale = np.array([width / probability.shape[1], height / probability.shape[0]])
    boxes = []
    for contour in contours[:MOST_BOXES]:
        middle, (long, short), angle = cv2.minAreaRect(contour)
        if min(long, short) < LEAST_SIDE_PX:
            continue
        core = np.asarray(cv2.boxPoints((middle, (long, short), angle)), np.float32)
        score = _mean_inside(probability, core)
        if score < LEAST_SCORE:
            continue
        # A rectangle's area over its perimeter; to grow both sides by it is what clipping libraries
        # do to any polygon.
        margin = GROWTH * long * short / (long + short)
        whole = cv2.boxPoints((middle, (long + margin, short + margin), angle))
        corners = np.clip(
            _as_read(np.asarray(whole, np.float32)) * scale, 0, [width - 1, height - 1]
        )
        boxes.append(Box(corners.astype(np.float32), score))
    return boxes


def line_picture(frame: npt.NDArray[np.uint8], corners: Corners) -> npt.NDArray[np.uint8]:
    """The line inside the corners, upright and `LINE_PX` high, `[LINE_PX, W, 3]`."""
    top, right, bottom, left = (
        math.dist(corners[index], corners[(index + 1) % 4]) for index in range(4)
    )
    width, height = max(1, round(max(top, bottom))), max(1, round(max(left, right)))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    line = cv2.warpPerspective(
        frame,
        cv2.getPerspectiveTransform(corners, target),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if height >= UPRIGHT * width:
        line = cv2.rotate(line, cv2.ROTATE_90_COUNTERCLOCKWISE)
        width, height = height, width
    size = (max(1, math.ceil(LINE_PX * width / height)), LINE_PX)
    return np.asarray(cv2.resize(line, size), np.uint8)


def area(box: Box) -> float:
    """Of the rectangle, px."""
    first, second, third, _ = box.corners
    return math.dist(first, second) * math.dist(second, third)


def covered_share(boxes: list[Box], height: int, width: int) -> float:
    """Share of a frame that the boxes cover together, 0 to 1."""
    covered = np.zeros((height, width), np.uint8)
    for box in boxes:
        cv2.fillPoly(covered, [np.round(box.corners).astype(np.int32)], (1,))
    return float(covered.mean())


def _whole_steps(side_px: float) -> int:
    return max(SIDE_STEP_PX, round(side_px / SIDE_STEP_PX) * SIDE_STEP_PX)


def _mean_inside(probability: npt.NDArray[np.float32], corners: npt.NDArray[np.float32]) -> float:
    height, width = probability.shape
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, [width - 1, height - 1])
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, [width - 1, height - 1])
    part = probability[low[1] : high[1] + 1, low[0] : high[0] + 1]
    inside = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(inside, [(corners - low).astype(np.int32)], (1,))
    return float(cv2.mean(part, inside)[0])


def _as_read(corners: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The corners, clockwise from the top left one: of the two leftmost, the upper."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = (pair[np.argsort(pair[:, 1], kind="stable")] for pair in (by_x[:2], by_x[2:]))
    return np.stack([left[0], right[0], right[1], left[1]])
