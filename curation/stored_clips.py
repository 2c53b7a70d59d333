"""Clips as table `clips` holds them, read by the workers of later stages: signals and pictures."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import obstore
import pyarrow as pa
import pyarrow.parquet as pq

from curation.media.rendering import Picture
from curation.storage import reading_store


class StoredClip(NamedTuple):
    """One clip of the table."""

    signals: dict[str, Any]
    """The fields of `tables.CLIP` that were asked for."""

    frames: list[dict[str, Any]]
    """The fields of `tables.FRAME`, in time order."""


def stored_clips(
    clips_uri: str,
    parts: Iterable[str],
    video_ids: Sequence[str],
    clip_ids: Sequence[str],
    fields: Sequence[str] = ("clip_id",),
) -> dict[str, StoredClip]:
    """The wanted clips by `clip_id`; those that the parts do not hold are missing.

    Args:
        clips_uri: where the table `clips` lies.
        parts: its files that hold them.
        video_ids: their videos.
        clip_ids: which.
        fields: of `tables.CLIP`, `clip_id` among them.
    """
    wanted, videos = set(clip_ids), set(video_ids)
    columns = ["video_id", *(f"clips.list.element.{field}" for field in fields), "frames"]
    found: dict[str, StoredClip] = {}
    for part in parts:
        content = obstore.get(reading_store(clips_uri), part).bytes()
        file = pq.ParquetFile(pa.BufferReader(content))
        for rows in file.iter_batches(batch_size=1, columns=columns):
            if rows["video_id"][0].as_py() not in videos:
                continue
            [row] = rows.to_pylist()
            for clip, frames in zip(row["clips"] or [], row["frames"] or [], strict=True):
                if clip["clip_id"] in wanted:
                    found[clip["clip_id"]] = StoredClip(clip, frames)
    return found


def picture(jpeg: bytes) -> Picture | None:
    """RGB `[H, W, 3]`, or None where the bytes are no picture."""
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
