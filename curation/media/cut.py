"""Cuts one clip out of a source and encodes it as a training sample of a fixed shape.

- Frame-exact: frames are chosen by the time at which they are shown, on the decode pass's clock.
- Of the source's own frames, the nearest to each of the evenly spaced times; never a blend of two.
- No B-frames, so no edit list: readers that ignore edit lists get the right times too.
- One thread and no dates in the file: the same input gives the same bytes.
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import takewhile
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from av.video.stream import VideoStream

from curation.media.decode import Frame, VideoReader
from curation.media.errors import MediaError
from curation.media.rendering import Picture, render

CLOCK_S = 1e-6
"""Two times closer than this are the same frame."""

_reformatter = VideoReformatter()


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
        return _encoded(_rendered(chosen, frame, rotation_deg), rate, crf, preset)


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


def _encoded(pictures: Iterable[Picture], rate: Fraction, crf: int, preset: str) -> bytes:
    # A file, because FFmpeg opens its output again by name to move the index to the front.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        options = {"movflags": "+faststart", "fflags": "+bitexact", "use_editlist": "0"}
        with av.open(str(path), "w", format="mp4", options=options) as container:
            stream = None
            for index, picture in enumerate(pictures):
                frame = _yuv(picture)
                if stream is None:
                    stream = _stream(container, frame, rate, crf, preset)
                frame.pts, frame.time_base = index, 1 / rate
                container.mux(stream.encode(frame))
            assert stream is not None
            container.mux(stream.encode())
        return path.read_bytes()


def _stream(
    container: OutputContainer, frame: av.VideoFrame, rate: Fraction, crf: int, preset: str
) -> VideoStream:
    options = {"crf": str(crf), "preset": preset, "profile": "high", "bf": "0"}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
    codec = stream.codec_context
    codec.thread_count, codec.thread_type = 1, "NONE"
    codec.color_range, codec.colorspace = ColorRange.MPEG, Colorspace.ITU709
    codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return stream


def _yuv(picture: Picture) -> av.VideoFrame:
    return _reformatter.reformat(
        av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"),
        format="yuv420p",
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT,
        src_color_range=ColorRange.JPEG,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        dst_color_trc=ColorTrc.BT709,
        dst_color_primaries=ColorPrimaries.BT709,
        threads=1,
    )
