"""Cuts one clip out of a source and encodes it as a training sample of a fixed shape.

- Frame-exact: frames are chosen by the time at which they are shown, on the decode pass's clock.
- Of the source's own frames, the nearest to each of the evenly spaced times; never a blend of two.
- Encoded by `curation.media.encoding`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import takewhile

import cv2
import numpy as np

from curation.media.decode import Frame, VideoReader
from curation.media.encoding import h264
from curation.media.errors import MediaError
from curation.media.rendering import Picture, render

CLOCK_S = 1e-6
"""Two times closer than this are the same frame."""


@dataclass(frozen=True)
class Framing:
    """What part of the picture is used, and the size it is brought to; all in px.

    The part is scaled until it covers the target, then cropped around its centre.
    """

    picture_width: int
    picture_height: int
    x: int
    y: int
    part_width: int
    part_height: int
    width: int
    height: int

    def of(self, frame: Frame, rotation_deg: int) -> Picture:
        """The frame as RGB `[height, width, 3]`, 0 to 255."""
        scale = max(self.width / self.part_width, self.height / self.part_height)
        width = max(self.width, round(self.picture_width * scale))
        height = max(self.height, round(self.picture_height * scale))
        left = round((self.x + self.part_width / 2) * scale - self.width / 2)
        top = round((self.y + self.part_height / 2) * scale - self.height / 2)
        left = min(max(left, 0), width - self.width)
        top = min(max(top, 0), height - self.height)
        picture = render(frame.picture, width, height, rotation_deg)
        return picture[top : top + self.height, left : left + self.width]


def cut_clip(
    path: str,
    stream_index: int,
    rotation_deg: int,
    framing: dict[str, int],
    start_s: float,
    end_s: float,
    num_frames: int,
    crf: int,
    preset: str,
) -> bytes:
    """The frames of `[start_s, end_s)` as MP4: H.264 High, yuv420p, BT.709, its index in front.

    Args:
        path: a local file.
        stream_index: the video stream, as the probe chose it.
        rotation_deg: clockwise turn that makes the picture upright.
        framing: the fields of `Framing`.
        start_s: seconds from the first frame of the video.
        end_s: likewise; frames shown from here on are not used.
        num_frames: frames of the result, evenly spread over the range.
        crf: constant rate factor of x264.
        preset: speed of x264.

    Raises:
        MediaError: what opening the file raises, or `no_frames` where none is left in the range.
    """
    frame = Framing(**framing)
    rate = Fraction(num_frames / (end_s - start_s)).limit_denominator(1001)
    with VideoReader(path, stream_index) as reader:
        in_range = takewhile(lambda shown: shown.time_s < end_s - CLOCK_S, reader.frames(start_s))
        chosen = evenly_spaced(in_range, end_s - start_s, num_frames)
        return h264(_rendered(chosen, frame, rotation_deg), rate, crf, preset)


def cut_image(
    path: str, stream_index: int, rotation_deg: int, framing: dict[str, int], quality: int
) -> bytes:
    """The first frame as JPEG without chroma subsampling; arguments and errors as in `cut_clip`."""
    with VideoReader(path, stream_index) as reader:
        first = next(reader.frames(), None)
        if first is None:
            raise MediaError("no_frames", "no frame could be decoded")
        picture = Framing(**framing).of(first, rotation_deg)
    options = [
        *(cv2.IMWRITE_JPEG_QUALITY, quality),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ]
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    return jpeg.tobytes()


def evenly_spaced(frames: Iterable[Frame], span_s: float, num_frames: int) -> Iterator[Frame]:
    """The nearest frame to each of `num_frames` times, evenly spread over `span_s` from the first.

    Holds two frames at a time. Repeats frames where there are too few.

    Raises:
        MediaError: `no_frames` where there is not one.
    """
    shown = iter(frames)
    nearest = next(shown, None)
    if nearest is None:
        raise MediaError("no_frames", "no frame of the clip could be decoded")
    times_s = [nearest.time_s + index * span_s / num_frames for index in range(num_frames)]
    coming = next(shown, None)
    for time_s in times_s:
        while coming is not None and coming.time_s - time_s < time_s - nearest.time_s:
            nearest, coming = coming, next(shown, None)
        yield nearest


def _rendered(frames: Iterable[Frame], framing: Framing, rotation_deg: int) -> Iterator[Picture]:
    last, picture = None, np.empty(0, np.uint8)
    for frame in frames:
        if frame is not last:
            last, picture = frame, framing.of(frame, rotation_deg)
        yield picture
