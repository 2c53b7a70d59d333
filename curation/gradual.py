"""Transitions that take time (dissolves, fades), as TransNet V2 sees them.

The network costs eight times what all else of the decode pass does. So, unless told to look
everywhere, it looks only where a cheap measure suspects that one picture turns into another, within
shots that are long enough for a clip.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curation.detectors import Transition, TransNetSettings
from curation.models.transnet import MARGIN_FRAMES, WINDOW_FRAMES, TransNet
from curation.shots import BLENDED_FRAMES, shots
from curation.small_frames import SmallFrames

Floats = npt.NDArray[np.float32]

LAG_S = 0.5
"""From the picture in question to those it is compared with, before and after."""
MIN_CHANGE = 12.0
"""Mean difference of two pictures, 0 to 255."""

MAX_SURPRISE = 0.4
"""Mean difference of a picture from the mean of two others, as a share of how those differ."""

CHUNK_FRAMES = 512

KEPT_FRAMES = WINDOW_FRAMES - 2 * MARGIN_FRAMES
ENDS_FRAMES = MARGIN_FRAMES // 2
"""How far the ends of a transition are followed beyond the frames that are looked at."""

KINDS = ("cut", "dissolve", "fade")
"""Of transitions that meet, the last of these names the whole."""


def with_network(
    found: list[Transition],
    frames: SmallFrames,
    brightness: Floats,
    settings: TransNetSettings,
    weights: Path,
    fps: float,
    min_shot_s: float,
) -> list[Transition]:
    """The transitions found so far, and those that the network finds; in order, none overlapping.

    Args:
        found: in order, never overlapping.
        frames: all frames of the video.
        brightness: of each frame, `[T]`.
        settings: the network's threshold, and where it looks.
        weights: the file of the network's weights; read only if there is something to look at.
        fps: frames per second.
        min_shot_s: the shortest shot that clips are taken from; no shorter one is looked at.
    """
    marked = np.zeros(len(frames), bool)
    if settings.everywhere:
        marked[:] = True
    else:
        for shot in shots(found, len(frames)):
            if shot.end - shot.start >= min_shot_s * fps:
                marked[shot.start : shot.end] = suspected(frames, shot.start, shot.end, fps)
    if not marked.any():
        return found
    network = TransNet(weights)
    one_hot, many_hot = np.zeros((2, len(frames)), np.float32)
    for start, end in stretches(marked):
        middle, inside = network(window(frames, start, end))
        one_hot[start:end] = middle[MARGIN_FRAMES : MARGIN_FRAMES + end - start]
        # The suspicion ends before the transition does.
        first, last = max(start - ENDS_FRAMES, 0), min(end + ENDS_FRAMES, len(frames))
        offset = first - start + MARGIN_FRAMES
        seen = inside[offset : offset + last - first]
        many_hot[first:last] = np.maximum(many_hot[first:last], seen)
    return united(found + seen_by_network(one_hot, many_hot, brightness, settings.threshold))


def suspected(frames: SmallFrames, start: int, end: int, fps: float) -> npt.NDArray[np.bool_]:
    """Marks frames of a shot at which one picture may be turning into another, `[end - start]`.

    There the pictures `LAG_S` before and after differ, and the picture between them is about their
    mean. Where things or the camera move, it is not: what was here is gone, what comes is not here
    yet.
    """
    lag = max(1, round(LAG_S * fps))
    marked = np.zeros(end - start, bool)
    for first in range(start + lag, end - lag, CHUNK_FRAMES):
        last = min(first + CHUNK_FRAMES, end - lag)
        pictures = frames.read(first - lag, last + lag).astype(np.int16)
        before, here, after = pictures[: -2 * lag], pictures[lag:-lag], pictures[2 * lag :]
        change = np.abs(after - before).mean((1, 2, 3))
        surprise = np.abs(2 * here - before - after).mean((1, 2, 3)) / 2
        marked[first - start : last - start] = (change >= MIN_CHANGE) & (
            surprise <= MAX_SURPRISE * change
        )
    return marked


def stretches(marked: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Half-open stretches of at most `KEPT_FRAMES` that hold every marked frame."""
    places = np.flatnonzero(marked)
    while places.size:
        start = int(places[0])
        inside = places[places < start + KEPT_FRAMES]
        yield start, int(inside[-1]) + 1
        places = places[inside.size :]


def window(frames: SmallFrames, start: int, end: int) -> npt.NDArray[np.uint8]:
    """The frames and `MARGIN_FRAMES` on each side; the first and the last stand in for others."""
    first, last = start - MARGIN_FRAMES, end + MARGIN_FRAMES
    inside = frames.read(max(first, 0), min(last, len(frames)))
    missing = (max(-first, 0), max(last - len(frames), 0))
    return np.pad(inside, (missing, (0, 0), (0, 0), (0, 0)), mode="edge")


def seen_by_network(
    one_hot: Floats, many_hot: Floats, brightness: Floats, threshold: float
) -> list[Transition]:
    """The transitions that the probabilities tell of.

    A run of frames that lie in a transition is one where its middle is seen too. The network marks
    a hard cut at the last frame of the old shot.

    Args:
        one_hot: probability that a transition has its middle at the frame, `[T]`.
        many_hot: probability that the frame lies in a transition, `[T]`.
        brightness: of each frame, `[T]`.
        threshold: of both probabilities.
    """
    inside = np.maximum(one_hot, many_hot) >= threshold
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    found = []
    for start, end in edges.reshape(-1, 2).tolist():
        if one_hot[start:end].max() < threshold:
            continue
        if end - start <= BLENDED_FRAMES:
            found.append(Transition(start + 1, end, "cut"))
        else:
            found.append(Transition(start, end + 1, _kind(brightness, start, end)))
    return found


def _kind(brightness: Floats, start: int, end: int) -> str:
    ends = brightness[[max(start - 1, 0), min(end, brightness.size - 1)]]
    return "fade" if brightness[start:end].min() < ends.min() / 2 else "dissolve"


def united(found: list[Transition]) -> list[Transition]:
    """In order; what meets is one transition."""
    whole: list[Transition] = []
    for next_one in sorted(found, key=lambda transition: transition.start):
        if whole and next_one.start <= whole[-1].end + BLENDED_FRAMES:
            last = whole[-1]
            kind = max(last.kind, next_one.kind, key=KINDS.index)
            whole[-1] = Transition(last.start, max(last.end, next_one.end), kind)
        else:
            whole.append(next_one)
    return whole
