"""Made pictures and videos: a few that are drawn once and handed out again and again."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.speed.made_columns import lists, structs
from curation import tables
from curation.media.encoding import h264

NUM_PICTURES, NUM_VIDEOS = 48, 6
PER_CLIP = 2

Picture = npt.NDArray[Any]


@dataclass(frozen=True)
class Media:
    """The pool.

    Attributes:
        jpegs: 320x180 px, about 4 KB each; none where no pictures are wanted.
        videos: MP4 files of one second that players play, or a few bytes each.
    """

    jpegs: list[bytes]
    videos: list[bytes]


def draw_media(pictures: bool) -> Media:
    """A pool of pictures and playable videos, or, without, of videos that are a few bytes."""
    tiny = [f"made video {number}".encode() for number in range(NUM_VIDEOS)]
    if not pictures:
        return Media([], tiny)
    jpegs = []
    for number in range(NUM_PICTURES):
        done, content = cv2.imencode(".jpg", _drawn(number, 0.3), [cv2.IMWRITE_JPEG_QUALITY, 70])
        assert done
        jpegs.append(content.tobytes())
    videos = []
    for number in range(NUM_VIDEOS):
        moments = [_drawn(number * 8, at / 16)[::2, ::2, ::-1][:88] for at in range(16)]
        still = [np.ascontiguousarray(moment) for moment in moments]
        videos.append(h264(still, Fraction(16), 30, "ultrafast"))
    return Media(jpegs, videos)


def _drawn(number: int, moment: float) -> Picture:
    """A ball on a slope of colours, BGR; the number tells the colours, the moment the place."""
    across = np.linspace(0, 1, 320, dtype=np.float32)
    hue = np.broadcast_to(number * 180 / NUM_PICTURES + 20 * across, (180, 320))
    value = np.broadcast_to(np.linspace(90, 220, 180)[:, None], (180, 320))
    hsv = np.stack([hue % 180, np.full((180, 320), 140), value], axis=2).astype(np.uint8)
    picture = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    place = (int(40 + 240 * moment), 60 + 10 * (number % 7))
    cv2.circle(picture, place, 24, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.putText(picture, f"{number}", (8, 168), 0, 1.0, (0, 0, 0), 2, cv2.LINE_AA)
    return picture


def draw_frames(
    random: np.random.Generator, media: Media, start_s: npt.NDArray[np.float64], num_pictured: int
) -> pa.Array:
    """The stored frames of each clip: `PER_CLIP` for the first `num_pictured`, else none.

    Args:
        random: draws.
        media: the pool.
        start_s: `[N]` when each clip starts.
        num_pictured: clips that have pictures.
    """
    kind = tables.CLIPS.field("frames").type.value_type.value_type
    counts = np.zeros(len(start_s), np.int64)
    counts[:num_pictured] = PER_CLIP if media.jpegs else 0
    num = int(counts.sum())
    which = random.integers(0, max(1, len(media.jpegs)), num)
    times = np.repeat(start_s, counts) + np.arange(num) % PER_CLIP * 2.0 + 0.5
    jpegs = pa.array(media.jpegs, pa.binary()).take(pa.array(which if num else [], pa.int64()))
    return lists(structs(kind, {"time_s": pa.array(times), "jpeg": jpegs}), counts)


def draw_samples(
    random: np.random.Generator, media: Media, num: int, num_playable: int
) -> pa.Table:
    """Columns `video` and `video_sha256` of samples; of them the first `num_playable` play."""
    tiny = draw_media(False).videos
    pool = [*tiny, *media.videos]
    which = random.integers(0, len(tiny), num)
    which[:num_playable] += len(tiny)
    hashes = pa.array([tables.content_sha256(one) for one in pool])
    columns = [pa.array(pool, pa.binary()).take(pa.array(which)), hashes.take(pa.array(which))]
    return pa.table(columns, names=["video", "video_sha256"])
