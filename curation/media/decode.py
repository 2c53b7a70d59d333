"""The frames of a video in presentation order, with the times at which they are shown.

One definition of time, for the decode pass and for cutting alike: `time_s` counts from the first
frame that is shown, by presentation timestamps, never by frame number times frame rate. So variable
frame rates, edit lists, B-frames and files that start late or below zero need no case of their own.
A frame whose timestamp does not advance is left out and counted, as is every packet that the
decoder gives up on.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.codec.context import Flags2
from av.container import InputContainer
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from curation.media.containers import open_container
from curation.media.errors import MediaError

__all__ = ["TIME_SLACK_S", "Frame", "PictureType", "VideoReader", "motion_vectors"]

TIME_SLACK_S = 0.001
"""Timestamps may be rounded to a millisecond; a frame that early still counts as on time."""

UNKNOWN_FPS = 25.0
"""Frame rate of a stream whose container and codec tell none, as FFmpeg assumes."""


@dataclass(slots=True)
class Frame:
    """One shown frame: its index in presentation order, its time, and the decoder's own picture."""

    index: int
    time_s: float
    picture: av.VideoFrame


class VideoReader:
    """Decodes one stream of one local file on one thread.

    Attributes:
        failures: packets that the decoder gave up on, frames flagged as corrupt, and frames whose
            time does not advance, so far.
        frame_s: seconds from frame to frame, as far as the container and the codec tell.
    """

    def __init__(self, path: str, stream_index: int, *, motion_vectors: bool = False) -> None:
        """Opens the file.

        Args:
            path: a local file.
            stream_index: the stream to decode, as the probe chose it.
            motion_vectors: have the decoder export them, where the codec has them.

        Raises:
            MediaError: the file is none of the allowed formats, or has no such stream.
        """
        self._path = path
        self._stream_index = stream_index
        self._motion_vectors = motion_vectors
        self.failures = 0
        self._last: tuple[float | None, int] = (None, 0)
        self._container, self._stream = self._opened()
        self._tick_s = float(self._stream.time_base or math.nan)
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.frame_s = 1.0 / float(rate or UNKNOWN_FPS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    @property
    def end_s(self) -> float:
        """When the last frame so far stops being shown, seconds from the first frame."""
        last_s, duration = self._last
        declared_s = duration * self._tick_s if duration else self.frame_s
        return 0.0 if last_s is None else last_s + declared_s

    @property
    def declared_frames(self) -> int:
        """How many frames the container's index says there are; 0 where it tells nothing."""
        return self._stream.frames

    def frames(self, start_s: float = 0.0) -> Iterator[Frame]:
        """The frames shown at or after `start_s`, once per reader.

        With a start, indices count from the first frame that is yielded.
        """
        if start_s <= 0.0:
            yield from self._timed(self._decoded(), None)
            return
        first = next(self._decoded(), None)
        if first is None:
            return
        origin_s = _Clock(self._tick_s).shown_at(first)
        self._seek(origin_s + start_s)
        sought = self._timed(self._decoded(), origin_s)
        head = next(sought, None)
        if head is None or head.time_s > start_s + 0.5 * self.frame_s:
            # The index of the file is wrong or missing: slow and right beats fast and wrong.
            self._container.close()
            self._container, self._stream = self._opened()
            sought = self._timed(self._decoded(), None)
            head = next(sought, None)
        index = 0
        while head is not None:
            if head.time_s >= start_s - TIME_SLACK_S:
                yield Frame(index, head.time_s, head.picture)
                index += 1
            head = next(sought, None)

    def _opened(self) -> tuple[InputContainer, VideoStream]:
        container = open_container(self._path)
        if self._stream_index >= len(container.streams):
            container.close()
            raise MediaError("changed", f"stream {self._stream_index} is gone")
        stream = container.streams[self._stream_index]
        if not isinstance(stream, VideoStream):
            container.close()
            raise MediaError("changed", f"stream {self._stream_index} is no longer video")
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        if self._motion_vectors:
            stream.codec_context.flags2 |= Flags2.export_mvs
        return container, stream

    def _seek(self, time_s: float) -> None:
        base = self._stream.time_base
        assert base is not None
        # One frame early: at the exact time, rounding may pick the keyframe after the target.
        offset = math.floor((time_s - self.frame_s) / float(base))
        try:
            self._container.seek(offset, stream=self._stream, backward=True)
        except av.error.FFmpegError:
            self._container.seek(0)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except av.error.MemoryError:
                    raise
                except av.error.FFmpegError:
                    self.failures += 1
        except av.error.MemoryError as error:
            raise MediaError("memory", "the decoder could not allocate memory") from error
        except av.error.FFmpegError:
            # The demuxer is lost, as in a truncated file: what was decoded so far stands.
            self.failures += 1

    def _timed(self, frames: Iterator[av.VideoFrame], origin_s: float | None) -> Iterator[Frame]:
        index, last_s, clock = 0, -math.inf, _Clock(self._tick_s)
        for frame in frames:
            if frame.is_corrupt:
                self.failures += 1
            shown_s = clock.shown_at(frame)
            if math.isnan(shown_s):
                shown_s = 0.0 if origin_s is None else origin_s + last_s + self.frame_s
            if origin_s is None:
                origin_s = shown_s
            time_s = shown_s - origin_s
            if time_s <= last_s:
                self.failures += 1
                continue
            last_s = time_s
            # Not the frame itself, which would keep the decoder from using its buffer again.
            self._last = (time_s, frame.duration)
            yield Frame(index, time_s, frame)
            index += 1


class _Clock:
    """Presentation time of each frame in turn, or decoding time where that is more regular.

    The rule is FFmpeg's (`guess_correct_pts` in libavcodec): AVI stores no presentation times, and
    what is made up for B-frames runs backwards.
    """

    def __init__(self, tick_s: float) -> None:
        """Takes the unit of the timestamps: a frame's own makes a new fraction at every look."""
        self._tick_s = tick_s
        self._last_pts = self._last_dts = -math.inf
        self._faulty_pts = self._faulty_dts = 0

    def shown_at(self, frame: av.VideoFrame) -> float:
        """Seconds, NaN where the frame has no time at all."""
        if frame.dts is not None:
            self._faulty_dts += frame.dts <= self._last_dts
            self._last_dts = frame.dts
        if frame.pts is not None:
            self._faulty_pts += frame.pts <= self._last_pts
            self._last_pts = frame.pts
        use_pts = frame.dts is None or self._faulty_pts <= self._faulty_dts
        stamp = frame.pts if use_pts and frame.pts is not None else frame.dts
        return math.nan if stamp is None else stamp * self._tick_s


def motion_vectors(picture: av.VideoFrame) -> npt.NDArray[np.void] | None:
    """The vectors that the decoder exported, as FFmpeg's AVMotionVector; None where it has none."""
    # `picture.side_data` would make the picture a reference cycle, and keep it and its buffer until
    # Python's garbage collector comes round: hundreds of megabytes, and a slower decoder.
    container = SideDataContainer(picture)  # type: ignore[call-arg]  # the stubs leave it out
    exported = container.get("MOTION_VECTORS")
    return None if exported is None else exported.to_ndarray()
