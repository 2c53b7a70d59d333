"""Shot boundaries and shots, from the scores of the frames.

Recall is the detectors' (`curation.detectors`), precision that of the closer look at each jump
(`curation.jumps`): a cut that a detector sees is dropped where the motion between the two frames
explains what changed (unless much changed at once), or where the picture before it comes back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from curation.detectors import (
    ShotSettings,
    Transition,
    adaptive_cuts,
    content_cuts,
    fades,
)
from curation.jumps import Jump, is_cut

Floats = npt.NDArray[np.float32]

BLENDED_FRAMES = 2
"""A rate conversion or an interlaced source blends a cut over so many frames at most."""


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames `start` to `end` (not included); around it lies `start`, `end`, or a `Transition`."""

    start: int
    end: int
    before: str
    after: str


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
        cuts |= {cut for cut in found if is_cut(content, jumps[cut], adaptive)}
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
