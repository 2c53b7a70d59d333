"""Opens untrusted files: which formats and codecs may be read at all, and nothing but the file."""

import os
import stat
from pathlib import Path

import av
import av.error
import av.logging
from av.container import InputContainer

from curation.media.errors import MediaError

DEMUXERS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "ogg", "asf", "mxf", "dv"),
    *("gif", "apng", "webp", "jpeg_pipe", "png_pipe", "webp_pipe"),
)
"""Formats that may be opened. None of them refers to other files, as playlists and patterns do."""

CODECS = frozenset(
    [
        *("h264", "hevc", "av1", "vp8", "vp9", "prores", "dnxhd", "cfhd", "ffv1", "theora"),
        *("mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "h263"),
        *("wmv1", "wmv2", "wmv3", "vc1", "flv1", "vp6", "vp6f", "svq1", "svq3", "qtrle"),
        *("cinepak", "msvideo1", "dvvideo", "huffyuv", "ffvhuff", "utvideo", "rawvideo"),
        *("mjpeg", "png", "apng", "gif", "webp"),
    ]
)
"""Video codecs that may be decoded."""

_OTHER_DECODERS = (
    *(
        "libdav1d",
        "flv",
        "msmpeg4",
        "aac",
        "mp3",
        "mp3float",
        "mp2",
        "mp2float",
        "ac3",
        "eac3",
        "opus",
    ),
    *("vorbis", "flac", "alac", "wmav1", "wmav2", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_u8"),
)
"""What FFmpeg may use besides `CODECS` while it reads the headers of a file."""

MAX_FRAME_PIXELS = 1 << 28
"""Largest frame that a decoder will make whatever a recipe allows, 268 megapixels."""

_PROBE_BYTES = 5_000_000
_PROBE_US = 5_000_000


def open_container(path: str) -> InputContainer:
    """The file opened for reading, if it is one of `DEMUXERS`.

    FFmpeg is given the name of a descriptor instead of the file's own, so that no file name can be
    a pattern, a protocol or an option.

    Raises:
        MediaError: `not_a_file`, `empty`, `unreadable`, `not_media`, or `no_frames` where the
            format is allowed but its header is damaged or cut off, or `too_large` where a frame
            would have more than `MAX_FRAME_PIXELS`.
    """
    descriptor = open_regular(path)
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(DEMUXERS),
        "codec_whitelist": ",".join((*sorted(CODECS), *_OTHER_DECODERS)),
        "probesize": str(_PROBE_BYTES),
        "analyzeduration": str(_PROBE_US),
        "enable_drefs": "0",
        "max_pixels": str(MAX_FRAME_PIXELS),
        "threads": "1",
    }
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    with av.logging.Capture() as log:
        try:
            container = av.open(
                f"file:/dev/fd/{descriptor}", options=options, metadata_errors="replace"
            )
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError as error:
            raise _refusal(error, log) from error
        finally:
            os.close(descriptor)
            av.logging.set_level(None)
    oversize = next((said.strip() for _, _, said in log if "Picture size" in said), None)
    if oversize:
        container.close()
        raise MediaError("too_large", oversize.split(",")[0])
    for stream in container.streams.video:
        if stream.codec_context:
            options = {"max_pixels": str(MAX_FRAME_PIXELS)}
            if stream.codec_context.name == "mjpeg":
                # Otherwise the decoder fills the rest of a cut-off JPEG with grey, silently.
                options["err_detect"] = "explode"
            stream.codec_context.options = options
    return container


def open_regular(path: str | Path) -> int:
    """A descriptor of a regular file with content; never waits, not even for a FIFO.

    Raises:
        MediaError: `not_a_file`, `empty`, or `unreadable` where it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise MediaError("unreadable", f"cannot be opened: {error.strerror}") from error
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size > 0:
        return descriptor
    os.close(descriptor)
    if stat.S_ISREG(found.st_mode):
        raise MediaError("empty", "the file has no bytes")
    raise MediaError("not_a_file", "not a regular file")


def _refusal(error: av.error.FFmpegError, log: list[tuple[int, str, str]]) -> MediaError:
    """Tells a format that is not allowed from one whose header is broken, by who complained."""
    said = "; ".join(f"{name}: {message.strip()}" for _, name, message in log[-3:] if name)
    if isinstance(error, OSError) and not isinstance(error, ValueError):
        return MediaError("unreadable", f"reading failed: {error.strerror}")
    if "not on whitelist" in said:
        format_name = said.split(":")[0]
        return MediaError("not_media", f"format {format_name} is not one of {', '.join(DEMUXERS)}")
    if any(name.split(",")[0] in DEMUXERS for _, name, _ in log):
        return MediaError("no_frames", f"the header is damaged or cut off ({said})")
    return MediaError("not_media", f"the content is none of {', '.join(DEMUXERS)}")
