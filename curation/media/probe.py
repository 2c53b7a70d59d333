"""What a file holds, by its content alone: the `PROBE` columns, from headers and first frames."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from curation.media.containers import CODECS, open_container
from curation.media.errors import MediaError

_log = logging.getLogger(__name__)

_FIRST_FRAMES = 3
_FIRST_FRAME_PACKETS = 500
"""Packets read in search of the first frame; more is left to the decode pass."""

_NO_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails
_HDR_TRANSFERS = (16, 18)
"""PQ and HLG, as ITU-T H.273 numbers transfer characteristics."""


def probe(path: str, max_frame_pixels: int, max_duration_s: float, max_frames: int) -> bytes:
    """The `PROBE` columns of a local file, as a JSON object.

    Args:
        path: a regular local file.
        max_frame_pixels: largest stored frame, as declared.
        max_duration_s: longest duration, as declared.
        max_frames: most frames, as declared.

    Raises:
        MediaError: `no_video`, `too_large`, or what `open_container` raises.
    """
    with open_container(path) as container:
        stream, num_candidates = _main_stream(container)
        columns = _declared(container, stream, num_candidates)
        _check(columns, max_frame_pixels, max_duration_s, max_frames)
        return json.dumps(columns | _seen(container, stream, columns)).encode()


def _main_stream(container: InputContainer) -> tuple[VideoStream, int]:
    """The largest video stream that is no cover art, the first of equals; and their number."""
    candidates = [s for s in container.streams.video if not s.disposition & _NO_PICTURE]
    if not candidates:
        found = ", ".join(stream.type for stream in container.streams) or "no streams"
        art = " (the video is cover art)" if container.streams.video else ""
        raise MediaError("no_video", f"no video stream, only: {found}{art}")
    allowed = [s for s in candidates if s.codec_context and _codec(s) in CODECS]
    if not allowed:
        names = ", ".join(_codec(s) if s.codec_context else "unknown" for s in candidates)
        raise MediaError("not_media", f"video codec not on the list of allowed ones: {names}")
    return max(allowed, key=lambda s: (s.width * s.height, -s.index)), len(candidates)


def _codec(stream: VideoStream) -> str:
    return stream.codec_context.codec.canonical_name


def _declared(
    container: InputContainer, stream: VideoStream, num_candidates: int
) -> dict[str, Any]:
    """The columns that the headers tell."""
    rate = stream.average_rate or stream.guessed_rate
    duration_s = _duration_s(container, stream)
    return {
        "container": container.format.name,
        "codec": _codec(stream),
        "coded_width": stream.width,
        "coded_height": stream.height,
        "sample_aspect": float(stream.sample_aspect_ratio or 1),
        "fps": float(rate) if rate else None,
        "num_frames": stream.frames or (round(duration_s * rate) if duration_s and rate else None),
        "duration_s": duration_s,
        "bit_rate": _bit_rate(container, stream, duration_s),
        "pix_fmt": stream.pix_fmt,
        "hdr": stream.color_trc in _HDR_TRANSFERS,
        "has_audio": bool(container.streams.audio),
        "num_video_streams": num_candidates,
        "stream_index": stream.index,
    }


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _bit_rate(
    container: InputContainer, stream: VideoStream, duration_s: float | None
) -> int | None:
    """The stream's own rate, or the file's less that of the audio."""
    if stream.bit_rate:
        return stream.bit_rate
    total = container.bit_rate or (round(8 * container.size / duration_s) if duration_s else 0)
    audio = sum(track.bit_rate or 0 for track in container.streams.audio)
    return max(total - audio, 0) or None


def _check(
    columns: dict[str, Any], max_frame_pixels: int, max_duration_s: float, max_frames: int
) -> None:
    """Refuses by what is declared, so that nothing too large is ever decoded."""
    width, height = columns["coded_width"], columns["coded_height"]
    if width < 1 or height < 1:
        raise MediaError("no_frames", f"the frame size is unknown ({width}x{height})")
    aspect = max(columns["sample_aspect"], 1.0)
    if width * height * aspect > max_frame_pixels:
        shape = f"{round(width * aspect)}x{height}"
        raise MediaError("too_large", f"frames of {shape} px are over {max_frame_pixels=}")
    if (columns["duration_s"] or 0.0) > max_duration_s:
        raise MediaError("too_large", f"{columns['duration_s']:g} s is over {max_duration_s=:g}")
    if (columns["num_frames"] or 0) > max_frames:
        raise MediaError("too_large", f"{columns['num_frames']} frames are over {max_frames=}")


def _seen(
    container: InputContainer, stream: VideoStream, columns: dict[str, Any]
) -> dict[str, Any]:
    """The columns that need decoded frames, and those of a still image put right.

    A stream of one packet is an image, unless the header promises more.

    Raises:
        MediaError: `no_frames` where not one of the first packets, or of all, gives a frame.
    """
    frames, num_packets, ended = _first_frames(container, stream)
    if not frames:
        where = "" if ended else f"first {num_packets} "
        raise MediaError("no_frames", f"no frame could be decoded from the {where}packets")
    rotation_deg = round(-frames[0].rotation / 90) * 90 % 360
    width = max(1, round(columns["coded_width"] * columns["sample_aspect"]))
    height = columns["coded_height"]
    seen = {
        "width": height if rotation_deg in (90, 270) else width,
        "height": width if rotation_deg in (90, 270) else height,
        "rotation_deg": rotation_deg,
        "interlaced": any(frame.interlaced_frame for frame in frames),
        "is_image": ended and num_packets == 1 and stream.frames <= 1,
    }
    if seen["is_image"]:
        seen |= {"fps": None, "num_frames": 1, "duration_s": 0.0, "bit_rate": None}
    return seen


def _first_frames(
    container: InputContainer, stream: VideoStream
) -> tuple[list[VideoFrame], int, bool]:
    """Up to three frames, the number of packets read for them, and whether those were all."""
    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    frames: list[VideoFrame] = []
    num_packets = 0
    for packet in _packets(container, stream):
        if len(frames) >= _FIRST_FRAMES or num_packets >= _FIRST_FRAME_PACKETS:
            return frames, num_packets, False
        num_packets += packet.size > 0
        try:
            frames += packet.decode()
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError as error:
            _log.debug("packet %d is damaged: %s", num_packets, error)
    return frames, num_packets, True


def _packets(container: InputContainer, stream: VideoStream) -> Iterator["Packet[VideoStream]"]:
    """The packets of a stream up to its end, or to where the demuxer gives up."""
    try:
        yield from container.demux(stream)
    except av.error.MemoryError:
        raise
    except av.error.FFmpegError as error:
        _log.debug("the demuxer gave up: %s", error)
