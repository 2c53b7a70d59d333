"""Scores frames for the detectors, and looks closer at those that they may take for cuts.

The score is PySceneDetect's own `content_val`; OpenCV computes it here in a fifth of the time. The
closer look asks what no score tells: whether motion explains the change (pans, shaking cameras, a
subtitle that appears), and whether the picture before comes back within a moment (flashes, one bad
frame). So the detectors may run at thresholds that find cuts in dark and between similar shots.

Cost on one thread: 0.03 ms a frame (128x72), and 1 ms a closer look (256x144).
"""

import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from curation.detectors import (
    MAX_REPEATS,
    REPEAT_SCORE,
    REPEAT_SHARE,
    AdaptiveSettings,
    ShotSettings,
)

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

THUMBNAIL_PX = (32, 18)
"""Pictures are compared for a return at this size: what moves within a moment does not count."""

BLOCK_PX = 16

NOISE_STEP = 3.0
"""Deviation within a block, in 8-bit steps, that noise and compression make."""

CHANGED_STEP = 5.0
"""Mean change of a block, in 8-bit steps, that no keyframe makes."""

LONE = 2.0
"""A lone jump scores at least so many times what the highest of its neighbours does."""

LIGHT = 0.05
"""Where less than this share of the picture is unexplained, only the light has changed."""


@dataclass(slots=True)
class Jump:
    """A frame that may be a cut, looked at more closely.

    Attributes:
        index: the frame.
        unexplained: share of the picture that motion from the frame before does not explain.
        changed: share of the picture that is not as it was, explained or not.
        returned: how near a later picture came to the one before: 0 (the same) to 1 and more.
    """

    index: int
    unexplained: float
    changed: float = 0.0
    returned: float = math.inf


class ContentScorer:
    """Scores each frame against the one before, and looks closer at those that may be cuts.

    The closer look waits until the frames around have their scores too: most frames that may be
    cuts by what was before them are motion that goes on.
    """

    def __init__(self, settings: ShotSettings, fps: float) -> None:
        """Prepares for a video of about `fps` frames per second."""
        self._content, self._adaptive = settings.content, settings.adaptive
        self._within = round(settings.flashes.within_s * fps) if settings.flashes else 0
        self._before: tuple[Picture, Picture, Picture] | None = None
        self._watched: list[tuple[Jump, Picture, float]] = []
        self._waiting: deque[tuple[Jump, Picture, Picture]] = deque()
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._index = -1
        self._reach = self._adaptive.window_frames if self._adaptive else 0
        self._wait = self._reach + MAX_REPEATS
        self._scores: deque[float] = deque(maxlen=2 * self._wait + 1)
        self._jumps: dict[int, Jump] = {}

    @property
    def jumps(self) -> dict[int, Jump]:
        """For every frame that a detector may take for a cut, what the closer look found."""
        while self._waiting:
            self._look()
        return self._jumps

    def __call__(self, bgr: Picture, luma: Picture) -> float:
        """`content_val`, 0 to 255; 0 for the first frame and where the size changes.

        Args:
            bgr: the small picture, `[h, w, 3]`; half the size that PySceneDetect scores finds the
                same cuts for a third of the time.
            luma: the same, luma only, of any size.
        """
        self._index += 1
        hsv = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV), np.uint8)
        thumbnail = np.asarray(cv2.resize(bgr, THUMBNAIL_PX), np.uint8)
        before, self._before = self._before, (hsv, luma, thumbnail)
        if before is None or before[0].shape != hsv.shape:
            self._watched = []
            self._scores.append(0.0)
            return 0.0
        score = float(cv2.norm(hsv, before[0], cv2.NORM_L1)) / bgr.size
        back = [_distance(thumbnail, old) / distance for _, old, distance in self._watched]
        for (jump, _, _), returned in zip(self._watched, back, strict=True):
            jump.returned = min(jump.returned, returned)
        self._watched = [w for w in self._watched if self._index - w[0].index < self._within]
        self._scores.append(score)
        if self._may_be_cut(self._index):
            # The end of a flash is a jump as well: back to the picture before it.
            jump = Jump(self._index, 0.0, returned=min(back, default=math.inf))
            self._jumps[self._index] = jump
            distance = max(_distance(thumbnail, before[2]), 1e-3)
            self._watched.append((jump, before[2], distance))
            self._waiting.append((jump, before[1], luma))
        while self._waiting and self._waiting[0][0].index <= self._index - self._wait:
            self._look()
        return score

    def _look(self) -> None:
        jump, before, luma = self._waiting.popleft()
        if self._may_be_cut(jump.index):
            jump.unexplained, jump.changed = difference_between(before, luma, self._flow)

    def _may_be_cut(self, index: int) -> bool:
        """Whether a detector can still take the frame for a cut, whatever frames follow."""
        place = index - self._index - 1 + len(self._scores)
        score = self._scores[place]
        if self._content is not None and score >= self._content.threshold:
            return True
        if self._adaptive is None or score < self._adaptive.min_content:
            return False
        scores = list(self._scores)
        past = scores[max(0, place - self._reach) : place]
        around = past + scores[place + 1 : place + 1 + self._reach]
        if min(around, default=0.0) < max(REPEAT_SCORE, REPEAT_SHARE * max(scores)):
            return True  # the detector is shown others in place of repeated frames
        # What is to come may be still: that leaves half of the mean over both sides, or more.
        return sum(around) * self._adaptive.threshold <= 2 * self._reach * score


def is_cut(content: Floats, jump: Jump, settings: AdaptiveSettings) -> bool:
    """Whether a frame that AdaptiveDetector takes for a cut is one, by the closer look at it.

    Args:
        content: `ContentScorer`'s score of each frame, `[T]`.
        jump: the frame.
        settings: the detector's.
    """
    if jump.unexplained >= settings.min_unexplained:
        return True
    index, reach = jump.index, settings.window_frames
    around = [*content[max(0, index - reach) : index], *content[index + 1 : index + 1 + reach]]
    is_lone = content[index] >= LONE * max(around, default=0.0)
    return bool(is_lone and jump.unexplained >= LIGHT and jump.changed >= settings.min_changed)


def difference_between(
    before: Picture, luma: Picture, flow: cv2.DISOpticalFlow
) -> tuple[float, float]:
    """How much of a picture is new: what motion from the one before leaves unexplained, and all.

    The picture before is warped along the optical flow between the two; a block of 16 px counts as
    unexplained where what is left, its mean apart, is more than half of the block's own contrast.
    So a change of light explains itself.

    Args:
        before: luma, `[h, w]`.
        luma: luma of the picture, `[h, w]`.
        flow: the estimator.

    Returns:
        The share of blocks that are unexplained, and of those that changed at all, 0 to 1.
    """
    rows, columns = luma.shape
    vectors = flow.calc(luma, before, np.empty((0, 0), np.float32))
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    warped = cv2.remap(
        before,
        vectors[..., 0] + x,
        vectors[..., 1] + y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    difference = np.asarray(cv2.subtract(luma, warped, dtype=cv2.CV_32F), np.float32)
    left = _block_deviation(difference)
    contrast = np.maximum(
        _block_deviation(luma.astype(np.float32)), _block_deviation(before.astype(np.float32))
    )
    unexplained = float(np.mean(left > np.maximum(0.5 * contrast, NOISE_STEP)))
    changes = _block_mean(cv2.absdiff(luma, before).astype(np.float32))
    return unexplained, float(np.mean(changes > CHANGED_STEP))


def _block_mean(plane: Floats) -> Floats:
    size = (max(1, plane.shape[1] // BLOCK_PX), max(1, plane.shape[0] // BLOCK_PX))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _block_deviation(plane: Floats) -> Floats:
    mean, square = _block_mean(plane), _block_mean(plane * plane)
    return np.sqrt(np.maximum(square - mean * mean, 0.0))


def _distance(picture: Picture, other: Picture) -> float:
    return float(cv2.norm(picture, other, cv2.NORM_L1)) / picture.size
