"""Shot boundaries: PySceneDetect's detectors, fed with scores that the decode pass computed once per frame.

The frame score is PySceneDetect's own `content_val`; OpenCV computes it here in a fifth of the time, and all
detectors share it. The detectors' decisions are the library's. What is added:

* a cut is looked at more closely: it is dropped where the motion between the two frames explains what changed
  (pans, shaking cameras, a subtitle that appears), and where the picture before it comes back within a moment
  (flashes, one bad frame). So the detectors may run at thresholds that find cuts in dark and between similar shots;
* a fade has an extent: from the frame at which it begins to go dark to the one at which it is bright again,
  so that no clip holds half a fade.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
from scenedetect import (
    AdaptiveDetector,
    ContentDetector,
    FrameTimecode,
    SceneDetector,
    ThresholdDetector,
)

from curation.settings import Settings

Floats = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]

THUMBNAIL_PX = (32, 18)
"""Size at which pictures are compared for a return: coarse enough that motion of a moment does not count."""

BLOCK_PX = 16
NOISE_STEP = 3.0
"""Deviation within a block, in 8-bit steps, that noise and compression make."""

REPEAT_SCORE = 0.3
"""Frames that score less repeat the one before, apart from compression."""

BLENDED_FRAMES = 2
"""A rate conversion or an interlaced source blends a cut over so many frames at most."""

MAX_REPEATS = 4
"""6 frames a second shown at 30; longer runs are stills."""

RAMP_STEP = 0.1
"""Smallest change of brightness per frame, in 8-bit steps, that goes on with a ramp."""


class AdaptiveSettings(Settings):
    """PySceneDetect's AdaptiveDetector: a frame that changes far more than its neighbours do."""

    threshold: float = 3.0
    """Smallest ratio of a frame's score to the mean of its neighbours' scores."""

    min_content: float = 6.0
    """Smallest score of a cut, 0 to 255 (PySceneDetect's own default, 15, misses cuts in dark scenes)."""

    window_frames: int = 2
    """Neighbours on each side."""

    min_unexplained: float = 0.15
    """Smallest share of the picture that motion from the frame before must leave unexplained."""


class ContentSettings(Settings):
    """PySceneDetect's ContentDetector: a frame that changes much."""

    threshold: float = 27.0
    """Smallest score of a cut, 0 to 255."""

    min_unexplained: float = 0.6
    """Smallest share of the picture that motion from the frame before must leave unexplained."""


class FadeSettings(Settings):
    """PySceneDetect's ThresholdDetector: fades and cuts through black."""

    threshold: int = 12
    """Mean of R, G and B, 0 to 255, below which a frame counts as black."""

    max_ramp_s: float = 2.0
    """Longest ramp into or out of black that is counted as part of the fade."""


class FlashSettings(Settings):
    """Jumps that are no cuts, because the picture before them comes back."""

    max_returned: float = 0.4
    """How near it must come, as a share of the jump."""

    within_s: float = 0.35
    """How long it may take."""


class ShotSettings(Settings):
    """Which detectors run, each with its thresholds; null turns one off. Their cuts are united."""

    adaptive: AdaptiveSettings | None = AdaptiveSettings()
    content: ContentSettings | None = ContentSettings()
    fades: FadeSettings | None = FadeSettings()
    flashes: FlashSettings | None = FlashSettings()

    shake_threshold: float = 27.0
    """ContentDetector threshold of `shots_per_s`: a shaking camera makes false cuts."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A shot boundary: the first frame that is no longer the old shot's, and the first that is the new one's."""

    start: int
    end: int
    kind: str


@dataclass(slots=True)
class Jump:
    """A frame that may be a cut, looked at more closely.

    Attributes:
        index: the frame.
        unexplained: share of the picture that motion from the frame before does not explain.
        returned: how near a later picture came to the one before the jump: 0 (the same) to 1 and more.
    """

    index: int
    unexplained: float
    returned: float = math.inf


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames `start` to `end` (not included), and what lies before and after: `start`, `end`, `cut`, `fade`."""

    start: int
    end: int
    before: str
    after: str


class ContentScorer:
    """Scores each frame against the one before, and looks closer at those that may be cuts.

    Attributes:
        jumps: for every frame that a detector may take for a cut, what the closer look found.
    """

    def __init__(self, settings: ShotSettings, fps: float) -> None:
        """Prepares for a video of about `fps` frames per second."""
        self._content, self._adaptive = settings.content, settings.adaptive
        self._within = round(settings.flashes.within_s * fps) if settings.flashes else 0
        self._before: tuple[Picture, Picture, Picture] | None = None
        self._watched: list[tuple[Jump, Picture, float]] = []
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._index = -1
        self._recent: deque[float] = deque(maxlen=self._adaptive.window_frames if self._adaptive else 0)
        self.jumps: dict[int, Jump] = {}

    def __call__(self, bgr: Picture, luma: Picture) -> float:
        """PySceneDetect's `content_val`, 0 to 255; 0 for the first frame and where the size changes.

        Args:
            bgr: the small picture, `[h, w, 3]`.
            luma: the same, luma only, `[h, w]`.
        """
        self._index += 1
        hsv = cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV)
        thumbnail = cv2.resize(bgr, THUMBNAIL_PX, interpolation=cv2.INTER_LINEAR)
        before, self._before = self._before, (hsv, luma, thumbnail)
        if before is None or before[0].shape != hsv.shape:
            self._watched = []
            return 0.0
        score: float = sum(cv2.sumElems(cv2.absdiff(hsv, before[0]))[:3]) / (3.0 * luma.size)
        back = [_distance(thumbnail, old) / distance for _, old, distance in self._watched]
        for (jump, _, _), returned in zip(self._watched, back, strict=True):
            jump.returned = min(jump.returned, returned)
        self._watched = [w for w in self._watched if self._index - w[0].index < self._within]
        if self._may_be_cut(score):
            # The end of a flash is a jump as well: back to the picture before it.
            unexplained = unexplained_share(before[1], luma, self._flow)
            jump = Jump(self._index, unexplained, min(back, default=math.inf))
            self.jumps[self._index] = jump
            distance = max(_distance(thumbnail, before[2]), 1e-3)
            self._watched.append((jump, before[2], distance))
        self._recent.append(score)
        return score

    def _may_be_cut(self, score: float) -> bool:
        """Whether a detector can still take the frame for a cut, whatever frames follow."""
        if self._content is not None and score >= self._content.threshold:
            return True
        if self._adaptive is None or score < self._adaptive.min_content:
            return False
        # The mean over both sides is at least half of the mean over the past side.
        most = 2 * self._adaptive.window_frames * score / self._adaptive.threshold
        repeats = any(recent < REPEAT_SCORE for recent in self._recent)
        return repeats or sum(self._recent) <= most


def unexplained_share(before: Picture, luma: Picture, flow: cv2.DISOpticalFlow) -> float:
    """Share of the picture that no motion, and no change of brightness, makes out of the one before.

    The picture before is warped along the optical flow between the two; a block of 16 px counts as
    unexplained where what is left, its mean apart, is more than half of the block's own contrast.
    """
    rows, columns = luma.shape
    vectors = flow.calc(luma, before, None)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    warped = cv2.remap(
        before,
        vectors[..., 0] + x,
        vectors[..., 1] + y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    difference = cv2.subtract(luma, warped, dtype=cv2.CV_32F)
    left = _block_deviation(difference)
    contrast = np.maximum(
        _block_deviation(luma.astype(np.float32)), _block_deviation(before.astype(np.float32))
    )
    return float(np.mean(left > np.maximum(0.5 * contrast, NOISE_STEP)))


def _block_deviation(plane: Floats) -> Floats:
    size = (max(1, plane.shape[1] // BLOCK_PX), max(1, plane.shape[0] // BLOCK_PX))
    mean = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    square = cv2.resize(plane * plane, size, interpolation=cv2.INTER_AREA)
    return np.sqrt(np.maximum(square - mean * mean, 0.0))


def transitions(
    content: Floats,
    brightness: Floats,
    jumps: Mapping[int, Jump],
    fps: float,
    settings: ShotSettings,
) -> list[Transition]:
    """The shot boundaries of a video, in order, never overlapping.

    Args:
        content: `ContentScorer`'s score of each frame, `[T]`.
        brightness: mean of B, G and R of each frame, 0 to 255, `[T]`.
        jumps: `ContentScorer.jumps`.
        fps: frames per second, for the longest ramp of a fade.
        settings: the detectors and their thresholds.
    """
    cuts: set[int] = set()
    if (adaptive := settings.adaptive) is not None:
        found = adaptive_cuts(content, adaptive)
        cuts |= {cut for cut in found if jumps[cut].unexplained >= adaptive.min_unexplained}
    if (plain := settings.content) is not None:
        found = content_cuts(content, plain.threshold)
        cuts |= {cut for cut in found if jumps[cut].unexplained >= plain.min_unexplained}
    if settings.flashes is not None:
        limit = settings.flashes.max_returned
        cuts = {cut for cut in cuts if jumps[cut].returned > limit}
    faded = fades(brightness, fps, settings.fades) if settings.fades is not None else []
    apart = [c for c in sorted(cuts) if not any(f.start <= c <= f.end for f in faded)]
    return sorted(faded + _hard(apart), key=lambda transition: transition.start)


def _hard(cuts: list[int]) -> list[Transition]:
    """Hard cuts; those of neighbouring frames are one cut with a blended frame inside."""
    found: list[Transition] = []
    for cut in cuts:
        if found and cut - found[-1].end <= BLENDED_FRAMES:
            found[-1] = Transition(found[-1].start, cut, "cut")
        else:
            found.append(Transition(cut, cut, "cut"))
    return found


def shots(boundaries: list[Transition], num_frames: int) -> list[Shot]:
    """The stretches between the boundaries that hold at least one frame."""
    edges = [Transition(0, 0, "start"), *boundaries, Transition(num_frames, num_frames, "end")]
    return [
        Shot(left.end, right.start, left.kind, right.kind)
        for left, right in pairwise(edges)
        if right.start > left.end
    ]


def adaptive_cuts(content: Floats, settings: AdaptiveSettings) -> list[int]:
    """First frames of new shots by AdaptiveDetector.

    Repeated frames are not shown to it: in video shown at a multiple of its own rate, every new
    frame stands out among repeats. Its decision depends on a frame and `window_frames` neighbours, so
    it runs on the neighbourhoods of scores that may be cuts: the same answer for a fraction of the calls.
    """
    shown = np.flatnonzero(~_short_repeats(content))
    scores = content[shown]
    reach = settings.window_frames
    cuts: list[int] = []
    for start, end in _neighbourhoods(scores >= settings.min_content, 2 * reach):
        detector = _ScoredAdaptive(
            adaptive_threshold=settings.threshold,
            min_content_val=settings.min_content,
            window_width=reach,
            min_scene_len=0,
        )
        cuts.extend(_run(detector, range(start, end), scores))
    return [int(shown[cut]) for cut in cuts]


def content_cuts(content: Floats, threshold: float, min_shot_frames: int = 0) -> list[int]:
    """First frames of new shots by ContentDetector; cuts nearer to each other are merged."""
    detector = _ScoredContent(threshold=threshold, min_scene_len=min_shot_frames)
    if min_shot_frames == 0:
        return _run(detector, np.flatnonzero(content >= threshold), content)
    return _run(detector, range(content.size), content)


def fades(brightness: Floats, fps: float, settings: FadeSettings) -> list[Transition]:
    """Stretches through black by ThresholdDetector, with their ramps.

    Only the frames at which the state may change are shown to the detector; the others cannot matter to it.
    """
    if brightness.size == 0:
        return []
    dark = brightness < settings.threshold
    changes = np.concatenate([[0], np.flatnonzero(dark[1:] != dark[:-1]) + 1])
    frames = brightness[:, None]
    outs, ins = (
        _run(
            ThresholdDetector(
                settings.threshold, min_scene_len=0, fade_bias=bias, add_final_scene=True
            ),
            changes,
            frames,
        )
        for bias in (-1.0, 1.0)
    )
    if dark[-1]:
        ins[-1:] = [brightness.size]
    longest = round(settings.max_ramp_s * fps)
    return [
        Transition(
            _ramp_start(brightness, out, longest), _ramp_end(brightness, back, longest), "fade"
        )
        for out, back in zip(outs, ins, strict=True)
    ]


class _ScoredContent(ContentDetector):
    """ContentDetector that is shown scores instead of pictures."""

    def _calculate_frame_score(self, timecode: FrameTimecode, frame_img: Floats) -> float:
        return float(frame_img)


class _ScoredAdaptive(AdaptiveDetector):
    """AdaptiveDetector that is shown scores instead of pictures."""

    def _calculate_frame_score(self, timecode: FrameTimecode, frame_img: Floats) -> float:
        return float(frame_img)


def _run(detector: SceneDetector, indices: Iterable[int], shown: Floats) -> list[int]:
    cuts: list[FrameTimecode] = []
    last = FrameTimecode(0, fps=1.0)
    for index in indices:
        last = FrameTimecode(int(index), fps=1.0)
        cuts.extend(detector.process_frame(last, shown[index]))
    cuts.extend(detector.post_process(last))
    return [cut.frame_num for cut in cuts]


def _short_repeats(content: Floats) -> npt.NDArray[np.bool_]:
    """Marks frames that repeat the one before, in runs too short to be a still."""
    repeats = content < REPEAT_SCORE
    edges = np.flatnonzero(np.diff(np.concatenate([[False], repeats, [False]]).astype(np.int8)))
    for start, end in edges.reshape(-1, 2):
        if end - start > MAX_REPEATS:
            repeats[start:end] = False
    return repeats


def _neighbourhoods(marked: npt.NDArray[np.bool_], reach: int) -> list[tuple[int, int]]:
    """Half-open ranges that hold every marked index and `reach` more on either side, joined where they meet."""
    ranges: list[tuple[int, int]] = []
    for index in np.flatnonzero(marked).tolist():
        start, end = max(0, index - reach), min(marked.size, index + reach + 1)
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((start, end))
    return ranges


def _ramp_start(brightness: Floats, index: int, longest: int) -> int:
    first = max(0, index - longest)
    while index > first and brightness[index - 1] > brightness[index] + RAMP_STEP:
        index -= 1
    return index


def _ramp_end(brightness: Floats, index: int, longest: int) -> int:
    last = min(brightness.size, index + longest)
    while index < last - 1 and brightness[index + 1] > brightness[index] + RAMP_STEP:
        index += 1
    return min(index, brightness.size)


def _distance(picture: Floats, other: Floats) -> float:
    return float(cv2.norm(picture, other, cv2.NORM_L1)) / picture.size
