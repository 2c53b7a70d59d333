"""Every frame of a video, tiny, in scratch files: memory does not grow with the video's length."""

from contextlib import ExitStack
from tempfile import TemporaryFile
from types import TracebackType
from typing import BinaryIO, Self

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

WIDTH_PX, HEIGHT_PX = 48, 27
"""What TransNet V2 looks at, whatever the shape of the video."""

FRAME_BYTES = WIDTH_PX * HEIGHT_PX * 3
FILE_FRAMES = 1 << 15
"""Frames per file, 127 MB: a limit on the size of files is no limit on the length of videos."""


class SmallFrames:
    """Frames are appended in order, and read back in stretches."""

    def __init__(self) -> None:
        self._files: list[BinaryIO] = []
        self._open = ExitStack()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, bgr: Picture) -> None:
        """Adds a frame, `[h, w, 3]`, of any size that is no smaller."""
        if self._count % FILE_FRAMES == 0:
            file = TemporaryFile()  # noqa: SIM115 - closed by `_open`
            self._files.append(self._open.enter_context(file))
        small = cv2.resize(bgr, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
        self._files[-1].write(cv2.cvtColor(small, cv2.COLOR_BGR2RGB).tobytes())
        self._count += 1

    def read(self, start: int, end: int) -> Picture:
        """Frames `start` to `end` (not included) as RGB, `[T, 27, 48, 3]`."""
        assert 0 <= start <= end <= self._count
        parts = []
        while start < end:
            number, place = divmod(start, FILE_FRAMES)
            count = min(end - start, FILE_FRAMES - place)
            self._files[number].seek(place * FRAME_BYTES)
            parts.append(self._files[number].read(count * FRAME_BYTES))
            start += count
        pictures = np.frombuffer(b"".join(parts), np.uint8)
        return pictures.reshape(-1, HEIGHT_PX, WIDTH_PX, 3)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()
