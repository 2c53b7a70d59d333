"""PySceneDetect's detectors, run on scores that the decode pass computed once per frame.

The detectors' decisions are the library's: they are shown scores instead of pictures, and only
where their decision is open. What is added: repeated frames are not shown, and a fade has an
extent, from the frame at which it begins to go dark to the one at which it is bright again.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import Field
from scenedetect import (
    AdaptiveDetector,
    ContentDetector,
    FrameTimecode,
    SceneDetector,
    ThresholdDetector,
)

from curation.settings import Settings

Floats = npt.NDArray[np.float32]

REPEAT_SCORE = 0.3
"""Frames that score less repeat the one before, apart from compression."""

REPEAT_SHARE = 0.03
"""So do those that score less than this part of a frame nearby."""

MAX_REPEATS = 4
"""6 frames a second shown at 30; longer runs are stills."""

RAMP_STEP = 0.1
"""Smallest change of brightness per frame, in 8-bit steps, that goes on with a ramp."""


class AdaptiveSettings(Settings):
    """PySceneDetect's AdaptiveDetector: a frame that changes far more than its neighbours do."""

    threshold: float = 3.0
    """Smallest ratio of a frame's score to the mean of its neighbours' scores."""

    min_content: float = 3.5
    """Smallest score of a cut, 0 to 255 (PySceneDetect's own default, 15, misses cuts in dark
    scenes and between similar pictures)."""

    window_frames: int = 2
    """Neighbours on each side."""

    min_unexplained: float = 0.15
    """Smallest share of the picture that motion from the frame before must leave unexplained, but
    for jump cuts (`min_changed`)."""

    min_changed: float = 0.25
    """Smallest share of the picture that a jump cut within one scene changes at once, while little
    happens in the neighbours. Motion explains most of it, but came from nowhere. An overlaid text
    that appears changes less."""


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


class TransNetSettings(Settings):
    """TransNet V2, a network that finds transitions in their whole length, dissolves above all.

    Needs `pip install 'moviola[models]'`, and the weights that `make setup` fetches.
    """

    threshold: float = Field(default=0.4, gt=0, lt=1)
    """Smallest probability of a transition. The authors take 0.5; 0.4 favours finding them."""

    everywhere: bool = False
    """Look at every frame, which costs eight times the rest of the pass, instead of only where
    one picture seems to turn into another, in shots that are long enough for a clip."""


class ShotSettings(Settings):
    """Which detectors run, each with its thresholds; null turns one off. Their cuts are united."""

    adaptive: AdaptiveSettings | None = AdaptiveSettings()
    content: ContentSettings | None = ContentSettings()
    fades: FadeSettings | None = FadeSettings()
    flashes: FlashSettings | None = FlashSettings()
    transnet: TransNetSettings | None = None

    shake_threshold: float = 27.0
    """ContentDetector threshold of `shots_per_s`: a shaking camera makes false cuts."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A shot boundary, from the first frame that is no longer only the old shot's.

    `end` is the first frame that is only the new one's; a hard cut starts and ends there.
    """

    start: int
    end: int
    kind: str
    """`cut`, `dissolve` (whatever takes time and is no fade: a wipe too) or `fade`."""


def adaptive_cuts(content: Floats, settings: AdaptiveSettings) -> list[int]:
    """First frames of new shots by AdaptiveDetector.

    Repeated frames are not shown to it: in video shown at a multiple of its own rate, every new
    frame stands out among repeats. Its decision depends on a frame and `window_frames` neighbours,
    so it runs on the neighbourhoods of scores that may be cuts: the same answer for a fraction of
    the calls.
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

    Only the frames at which the state may change are shown to the detector; the others cannot
    matter to it.
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


class _ScoredContent(ContentDetector):  # type: ignore[misc]  # PySceneDetect ships no types
    """ContentDetector that is shown scores instead of pictures."""

    def _calculate_frame_score(self, timecode: FrameTimecode, frame_img: Floats) -> float:
        return float(frame_img)


class _ScoredAdaptive(AdaptiveDetector):  # type: ignore[misc]  # as above
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
    if content.size == 0:
        return np.zeros(0, bool)
    around = np.pad(content, MAX_REPEATS, constant_values=0.0)
    largest = sliding_window_view(around, 2 * MAX_REPEATS + 1).max(axis=1)
    repeats: npt.NDArray[np.bool_] = content < np.maximum(REPEAT_SCORE, REPEAT_SHARE * largest)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], repeats, [False]]).astype(np.int8)))
    for start, end in edges.reshape(-1, 2):
        if end - start > MAX_REPEATS:
            repeats[start:end] = False
    return repeats


def _neighbourhoods(marked: npt.NDArray[np.bool_], reach: int) -> list[tuple[int, int]]:
    """Half-open ranges of the marked indices and `reach` more on either side, joined."""
    ranges: list[tuple[int, int]] = []
    for index in np.flatnonzero(marked).tolist():
        start, end = max(0, index - reach), min(marked.size, index + reach + 1)
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((start, end))
    return ranges


def _ramp_start(brightness: Floats, index: int, longest: int) -> int:
    first = max(1, index - longest)
    while index > first and brightness[index - 2] > brightness[index - 1] + RAMP_STEP:
        index -= 1
    return index


def _ramp_end(brightness: Floats, index: int, longest: int) -> int:
    last = min(brightness.size, index + longest)
    while index < last - 1 and brightness[index + 1] > brightness[index] + RAMP_STEP:
        index += 1
    return min(index, brightness.size)
