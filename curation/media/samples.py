"""The bytes of training samples: read back from their shards, decoded, and written for people."""

import tempfile
from collections.abc import Collection, Mapping
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import obstore
import pyarrow as pa
import pyarrow.parquet as pq

from curation.media.decode import VideoReader
from curation.media.encoding import TAGS, h264
from curation.media.errors import MediaError
from curation.media.rendering import render
from curation.storage import StorageError, reading_store

MAX_BYTES = 2 << 30
"""Most bytes that the frames of a sample may take: 256 frames of 1024x576 px take 0.45 GB."""


def stored_videos(shards_uri: str, part: str, clip_ids: Collection[str]) -> dict[str, bytes]:
    """The bytes of samples by `clip_id`; those that the part does not hold are missing.

    Args:
        shards_uri: where a table `shards/<subset>` lies.
        part: its file that holds them.
        clip_ids: which.

    Raises:
        MediaError: `changed` where the part is gone, `unreadable` where it cannot be read.
    """
    found: dict[str, bytes] = {}
    try:
        content = obstore.get(reading_store(shards_uri), part).bytes()
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            for rows in file.iter_batches(batch_size=1, columns=["clip_id", "video"]):
                if rows["clip_id"][0].as_py() in clip_ids:
                    [row] = rows.to_pylist()
                    found[row["clip_id"]] = row["video"]
    except FileNotFoundError as error:
        raise MediaError("changed", f"{shards_uri}/{part} is gone") from error
    except (*StorageError, pa.ArrowException) as error:
        raise MediaError("unreadable", f"{shards_uri}/{part}: {error}") from error
    return found


def decode_sample(content: bytes) -> npt.NDArray[np.uint8]:
    """The frames of a training sample, RGB, full range, `[T, H, W, 3]`; T is 1 for an image.

    In colour and in frames it is what `curation.media.cut` was given, but for compression.

    Args:
        content: MP4 or JPEG, whole.

    Raises:
        MediaError: `empty`, `too_large` (over `MAX_BYTES`), `frames` (cut off or damaged: not every
            frame that it declares can be decoded), or what opening a file raises.
    """
    # A file, because that is the one door to FFmpeg, with its list of allowed formats.
    with tempfile.NamedTemporaryFile(prefix="sample-") as file:
        file.write(content)
        file.flush()
        with VideoReader(file.name, 0) as reader:
            return _frames(reader)


def _frames(reader: VideoReader) -> npt.NDArray[np.uint8]:
    num_frames = max(1, reader.declared_frames)
    frames, count = np.empty((0, 0, 0, 3), np.uint8), 0
    for frame in reader.frames():
        width, height = frame.picture.width, frame.picture.height
        if count == 0:
            size = 3 * width * height * num_frames
            if size > MAX_BYTES:
                shape = f"{num_frames} frames of {width}x{height} px"
                raise MediaError("too_large", f"{shape} are over {MAX_BYTES:,} bytes")
            frames = np.empty((num_frames, height, width, 3), np.uint8)
        if count == num_frames or (height, width) != frames.shape[1:3]:
            raise MediaError("frames", f"frame {count} is one too many, or of another size")
        frames[count] = render(frame.picture, width, height)
        count += 1
    if count < num_frames or reader.failures:
        raise MediaError("frames", f"only {count} of {num_frames} frames can be decoded")
    return frames


def encode_video(
    frames: npt.NDArray[np.uint8],
    fps: float,
    metadata: Mapping[str, str] | None = None,
    crf: int = 18,
) -> bytes:
    """RGB frames `[T, H, W, 3]` as MP4: H.264, yuv420p, BT.709, playable anywhere.

    Args:
        frames: one or more, of even size.
        fps: frames per second.
        metadata: text of any kind by `title`, `comment` and the others of `encoding.TAGS`, which
            players and ffprobe show. What MP4 cannot hold, such as NUL, becomes `�` or `?`.
        crf: constant rate factor of x264: 18 looks like the source, +6 halves the size.

    Raises:
        ValueError: the frames have no such shape, the rate is no number above 0, the crf is
            out of bounds, or MP4 has no such metadata.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size or frames.dtype != np.uint8:
        raise ValueError(f"frames should be uint8 [T, H, W, 3], not {frames.dtype} {frames.shape}")
    if frames.shape[1] % 2 or frames.shape[2] % 2:
        raise ValueError(
            f"H.264 in yuv420p needs an even size, not {frames.shape[2]}x{frames.shape[1]}"
        )
    if not 0 < fps < 1000:
        raise ValueError(f"{fps} is no frame rate")
    if not 1 <= crf <= 51:
        raise ValueError(f"a constant rate factor is 1 to 51, not {crf}")
    if unknown := sorted(set(metadata or {}) - set(TAGS)):
        raise ValueError(
            f"MP4 does not keep metadata {', '.join(unknown)}; it has {', '.join(TAGS)}"
        )
    texts = {name: _storable(text) for name, text in (metadata or {}).items()}
    return h264(frames, Fraction(fps).limit_denominator(1001), crf, "medium", texts)


def _storable(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
