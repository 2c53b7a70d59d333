"""Videos with known cuts, made by joining single shots."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

FPS = 25
WIDTH, HEIGHT = 640, 360

Clip = npt.NDArray[np.uint8]
"""Frames of one shot, RGB, `[T, HEIGHT, WIDTH, 3]`."""


@dataclass(frozen=True)
class Boundary:
    """A transition put into a video, from the first frame that is not only the old shot's.

    `end` is the first frame that is only the new one's.
    """

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Joined:
    """A video, its transitions, and its traps: things that look like cuts and are none."""

    path: Path
    boundaries: list[Boundary]
    traps: list[tuple[int, int, str]]
    num_frames: int


class Joiner:
    """Appends shots to one video file and notes where they meet."""

    def __init__(self, path: Path, generator: np.random.Generator) -> None:
        self._path, self._generator = path, generator
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream(
            "libx264", rate=FPS, options={"crf": "23", "preset": "veryfast"}
        )
        self._stream.width, self._stream.height, self._stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        self._tail: Clip | None = None
        self._frames = 0
        self._boundaries: list[Boundary] = []
        self._traps: list[tuple[int, int, str]] = []

    def add(self, clip: Clip, kind: str) -> None:
        """Joins a shot by `hard`, `similar` (a hard cut too), `dissolve` or `fade`."""
        length = (
            0
            if self._tail is None
            else {"dissolve": int(self._generator.integers(10, 26)), "fade": 24}.get(kind, 0)
        )
        if self._tail is not None:
            if kind == "dissolve":
                self._write(self._tail[:-length])
                start = self._frames
                share = (np.arange(1, length + 1, dtype=np.float32) / (length + 1))[
                    :, None, None, None
                ]
                self._write(
                    (self._tail[-length:] * (1 - share) + clip[:length] * share).astype(np.uint8)
                )
                self._boundaries.append(Boundary(start, self._frames, kind))
                clip = clip[length:]
            elif kind == "fade":
                half = length // 2
                share = np.linspace(1, 0, half, dtype=np.float32)[:, None, None, None]
                self._write(self._tail[:-half])
                start = self._frames
                self._write((self._tail[-half:] * share).astype(np.uint8))
                self._write((clip[:half] * share[::-1]).astype(np.uint8))
                self._boundaries.append(Boundary(start, self._frames, kind))
                clip = clip[half:]
            else:
                self._write(self._tail)
                self._boundaries.append(Boundary(self._frames, self._frames, kind))
        self._tail = clip

    def trap(self, clip: Clip, kind: str) -> None:
        """Joins a shot by a hard cut; it holds a `flash`, a fast `pan` or a `stutter`."""
        clip = clip.copy()
        middle = len(clip) // 2
        if kind == "flash":
            length = int(self._generator.integers(1, 4))
            clip[middle : middle + length] = 255 - (255 - clip[middle : middle + length]) // 6
        elif kind == "stutter":
            length = 24
            for index in range(middle, middle + length):
                clip[index] = clip[index - (index - middle) % 4]
        else:
            length = 12
            still = np.concatenate([clip[middle], clip[middle][:, ::-1]], axis=1)
            for index in range(length):
                clip[middle + index] = np.roll(still, -index * WIDTH // length, axis=1)[:, :WIDTH]
            clip[middle + length :] = clip[middle][:, ::-1]
        self.add(clip, "hard")
        self._traps.append((self._frames + middle, self._frames + middle + length, kind))

    def close(self) -> Joined:
        """Ends the file."""
        if self._tail is not None:
            self._write(self._tail)
        self._container.mux(self._stream.encode())
        self._container.close()
        return Joined(self._path, self._boundaries, self._traps, self._frames)

    def _write(self, clip: Clip) -> None:
        for picture in clip:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            self._container.mux(self._stream.encode(frame))
        self._frames += len(clip)


def shots_of(
    folder: Path, num_frames: int, generator: np.random.Generator
) -> Iterator[tuple[Path, Clip]]:
    """Endless shots of `num_frames` frames, at random places of the single-shot videos there."""
    paths = sorted(
        path for path in folder.iterdir() if path.suffix in {".mp4", ".mkv", ".mov", ".webm"}
    )
    while True:
        for path in generator.permutation(paths):
            clip = _read(Path(path))
            if len(clip) >= num_frames:
                first = int(generator.integers(0, len(clip) - num_frames + 1))
                yield Path(path), clip[first : first + num_frames]


def _read(path: Path) -> Clip:
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            frames.append(frame.to_ndarray(format="rgb24", width=WIDTH, height=HEIGHT))
            if len(frames) == 400:
                break
    return np.stack(frames)


def rendered_shots(folder: Path, seed: int, num_shots: int = 24) -> Path:
    """A folder of made single shots: a camera drifts over coloured noise of many scales."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    for index in range(num_shots):
        joiner = Joiner(folder / f"{index:02}.mp4", generator)
        joiner.add(_drift(generator, 200), "hard")
        joiner.close()
    return folder


def _drift(generator: np.random.Generator, num_frames: int) -> Clip:
    rows, columns = HEIGHT * 2, WIDTH * 2
    picture = np.zeros((rows, columns, 3), np.float32)
    for scale in (4, 16, 64):
        noise = generator.normal(0, 1, (rows // scale + 2, columns // scale + 2, 3)).astype(
            np.float32
        )
        picture += cv2.resize(noise, (columns, rows), interpolation=cv2.INTER_CUBIC) * scale**0.5
    tint = generator.uniform(40, 200, 3)
    picture = (tint + picture * generator.uniform(4, 12)).clip(0, 255).astype(np.uint8)
    speed = generator.uniform(-3, 3, 2)
    middle = np.array([columns, rows]) / 2
    frames = []
    for index in range(num_frames):
        x, y = middle + speed * (index - num_frames / 2)
        frames.append(cv2.getRectSubPix(picture, (WIDTH, HEIGHT), (float(x), float(y))))
    return np.stack(frames)
