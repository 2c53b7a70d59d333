"""Encodes pictures as MP4: H.264 High, yuv420p, BT.709, its index in front.

- No B-frames, so no edit list: readers that ignore edit lists get the right times too.
- One thread and no dates in the file: the same input gives the same bytes.
"""

import tempfile
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path

import av
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

from curation.media.rendering import Picture

TAGS = ("title", "artist", "comment", "description", "copyright", "date", "genre")
"""Names of metadata that MP4 keeps."""

_reformatter = VideoReformatter()


def h264(
    pictures: Iterable[Picture],
    rate: Fraction,
    crf: int,
    preset: str,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """The file of one or more RGB pictures `[H, W, 3]` of one even size.

    Args:
        pictures: in order; they are taken one at a time.
        rate: pictures per second.
        crf: constant rate factor of x264.
        preset: speed of x264.
        metadata: text by `TAGS`.
    """
    # A file, because FFmpeg opens its output again by name to move the index to the front.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        options = {"movflags": "+faststart", "fflags": "+bitexact", "use_editlist": "0"}
        with av.open(str(path), "w", format="mp4", options=options) as container:
            container.metadata.update(metadata or {})
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
