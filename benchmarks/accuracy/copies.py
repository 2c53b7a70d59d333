"""Real shots, and altered copies of them, as the few stored frames that a model gets to see."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from benchmarks.accuracy.cuts import found_by_moviola
from benchmarks.accuracy.rendering import Picture, encode
from curation.analysis import FrameSettings
from curation.media.decode import VideoReader
from curation.media.rendering import render

STORED = FrameSettings()
"""How the clips stage stores frames."""

MIN_S, MAX_S = 2.0, 8.0
GUARD_S = 0.1
TAKEN_FPS = 4.0
"""How many frames a second of a shot are altered and encoded, of which 4 are looked at."""

SPEED = 1.25
TRIMMED = 0.1
"""Part of a copy that is missing at its start, so that its frames are other ones."""

Frames = list[Picture]


class RealShot(NamedTuple):
    """A stretch of a video without a cut."""

    video: str
    start_s: float
    frames: Frames
    """BGR, `TAKEN_FPS` a second, up to `SPEED * MAX_S` seconds."""

    @property
    def clip(self) -> Frames:
        """The first `MAX_S` seconds."""
        return self.frames[: round(MAX_S * TAKEN_FPS)]


def real_shots(paths: Sequence[Path], count: int) -> Iterator[RealShot]:
    """Up to `count` shots of `MIN_S` and more, evenly spread over the videos in the order given."""
    spans: list[tuple[Path, float, float]] = []
    for path in paths:
        with VideoReader(str(path), 0) as reader:
            times_s = [frame.time_s for frame in reader.frames()]
        cuts = found_by_moviola(path)
        starts = [0, *(cut.end for cut in cuts)]
        ends = [*(cut.start for cut in cuts), len(times_s) - 1]
        for start, end in zip(starts, ends, strict=True):
            if start >= end:
                continue  # a fade at the very end
            first_s, last_s = times_s[start] + GUARD_S, times_s[end] - GUARD_S
            if last_s - first_s >= MIN_S:
                spans.append((path, first_s, min(last_s, first_s + SPEED * MAX_S)))
    for index in np.unique(np.linspace(0, len(spans) - 1, min(count, len(spans))).astype(int)):
        yield _read(*spans[index])


def _read(path: Path, start_s: float, end_s: float) -> RealShot:
    frames: Frames = []
    with VideoReader(str(path), 0) as reader:
        for frame in reader.frames(start_s):
            if frame.time_s > end_s:
                break
            if frame.time_s - start_s >= len(frames) / TAKEN_FPS:
                sides = (frame.picture.width, frame.picture.height)
                width, height = (round(s * STORED.long_side_px / max(sides) / 2) * 2 for s in sides)
                frames.append(render(frame.picture, width, height)[..., ::-1].copy())
    return RealShot(path.name, start_s, frames)


def _rescaled(frame: Picture, part: float) -> Picture:
    width, height = (round(side * part / 2) * 2 for side in frame.shape[1::-1])
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _recoloured(frame: Picture) -> Picture:
    """Brighter, warmer, paler and with more contrast."""
    brighter = (255 * (np.arange(256) / 255) ** 0.8).astype(np.float32)
    light = brighter[frame] * np.array([0.85, 1.0, 1.12], np.float32)
    grey = light.mean(axis=2, keepdims=True)
    return np.clip((0.7 * light + 0.3 * grey - 128) * 1.15 + 128, 0, 255).astype(np.uint8)


def _cropped(frame: Picture, part: float) -> Picture:
    """`part` of each side cut off, a third of it at the left and the top, and scaled up again."""
    height, width = frame.shape[:2]
    x, y = round(width * part / 3), round(height * part / 3)
    inside = frame[y : y + round(height * (1 - part)), x : x + round(width * (1 - part))]
    return np.asarray(cv2.resize(inside, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _captioned(frame: Picture) -> Picture:
    """Two lines of white text with a dark shadow, across the lower third."""
    frame, (height, width) = frame.copy(), frame.shape[:2]
    for line, words in enumerate(("SUBSCRIBE FOR MORE VIDEOS", "a new one every single day")):
        x, y = width // 10, round(height * (0.75 + 0.13 * line))
        for shift, colour in ((2, (0, 0, 0)), (0, (255, 255, 255))):
            place = (x + shift, y + shift)
            cv2.putText(frame, words, place, cv2.FONT_HERSHEY_DUPLEX, width / 560, colour, 2)
    return frame


def _with_logo(frame: Picture) -> Picture:
    """An opaque badge in a corner, a fifth of the width and of the height."""
    frame, (height, width) = frame.copy(), frame.shape[:2]
    x, y = round(width * 0.77), round(height * 0.05)
    cv2.rectangle(frame, (x, y), (x + width // 5, y + height // 5), (30, 20, 200), -1)
    cv2.circle(frame, (x + width // 10, y + height // 10), height // 12, (240, 240, 240), -1)
    cv2.putText(frame, "TV", (x + width // 13, y + height // 8), cv2.FONT_HERSHEY_DUPLEX,
                width / 800, (30, 20, 200), 2)  # fmt: skip
    return frame


def _mirrored(frame: Picture) -> Picture:
    return frame[:, ::-1].copy()


PER_FRAME: dict[str, Callable[[Picture], Picture]] = {
    "re-encode": np.copy,
    "rescale": partial(_rescaled, part=0.4),
    "colour": _recoloured,
    "crop 10 %": partial(_cropped, part=0.1),
    "crop 20 %": partial(_cropped, part=0.2),
    "crop 30 %": partial(_cropped, part=0.3),
    "text": _captioned,
    "logo": _with_logo,
    "mirror": _mirrored,
}
ALTERATIONS = (*PER_FRAME, "speed 1.25x")


def copies(shot: RealShot, scratch: Path) -> dict[str, Frames]:
    """Each altered copy, decoded: a file of its own, with other frames than the original has."""
    made = {}
    for name in ALTERATIONS:
        frames = shot.clip
        if name in PER_FRAME:
            frames = [PER_FRAME[name](frame) for frame in frames]
        else:
            frames = [shot.frames[int(i)] for i in np.arange(0, len(shot.frames), SPEED)]
        frames = frames[round(TRIMMED * len(frames)) :]
        made[name] = _reencoded(frames, "36" if name == "re-encode" else "28", scratch)
    return made


def repeated(shot: RealShot, scratch: Path) -> tuple[Frames, Frames]:
    """The clip as it comes twice in one file, with a second of black in between."""
    number = len(shot.clip)
    black = [np.zeros_like(shot.clip[0])] * round(TAKEN_FPS)
    frames = _reencoded([*shot.clip, *black, *shot.clip], "28", scratch)
    return frames[:number], frames[-number:]


def _reencoded(frames: Frames, crf: str, scratch: Path) -> Frames:
    path = encode(frames, scratch / "copy.mp4", options={"crf": crf, "preset": "veryfast"})
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def stored(frames: Frames, count: int) -> Frames:
    """RGB of the frames at `count` even places, after the JPEG in which they are kept."""
    places = (np.arange(count) + 0.5) / count * len(frames)
    kept = []
    for place in places.astype(int):
        quality = [cv2.IMWRITE_JPEG_QUALITY, STORED.quality]
        picture = cv2.imdecode(cv2.imencode(".jpg", frames[place], quality)[1], cv2.IMREAD_COLOR)
        assert picture is not None
        kept.append(np.asarray(picture[..., ::-1], np.uint8))
    return kept
