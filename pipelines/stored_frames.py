"""The stored pictures of clips, for pages that people look at."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow.compute as pc

from pipelines.workspace import Workspace, storage_errors


class Frame(NamedTuple):
    """A stored frame."""

    time_s: float
    jpeg: bytes


def lower_jpeg(jpeg: bytes, height_px: int, quality: int) -> bytes | None:
    """A picture at most so high, its sides in proportion; None where the bytes are no picture.

    Args:
        jpeg: the picture; one that is no higher is returned as it is.
        height_px: of the result.
        quality: of the result's JPEG, 1 to 100.
    """
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if image is None:
        return None
    height, width = image.shape[:2]
    if height <= height_px:
        return jpeg
    size = (max(1, round(width * height_px / height)), height_px)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def stored_frames(
    workspace: Workspace, clips: Sequence[Mapping[str, Any]]
) -> dict[str, list[Frame]]:
    """The stored frames of the clips by `clip_id`; without pictures a clip is missing.

    Args:
        workspace: where they are.
        clips: `clip_id` and `video_id` of each.

    Raises:
        StorageError: the storage cannot be read.
    """
    wanted = {clip["clip_id"] for clip in clips}
    videos = sorted({clip["video_id"] for clip in clips})
    if not videos:
        return {}
    found: dict[str, list[Frame]] = {}
    table = workspace.table("clips")
    with storage_errors(table.uri):
        scanner = table.dataset().scanner(
            columns=["video_id", "clips", "frames"],
            filter=pc.field("video_id").isin(videos),
            # Rows hold megabytes of pictures.
            batch_size=8,
            batch_readahead=1,
            fragment_readahead=1,
        )
        for batch in scanner.to_batches():
            for row in batch.to_pylist():
                for clip, frames in zip(row["clips"] or [], row["frames"] or [], strict=True):
                    if clip["clip_id"] in wanted:
                        found[clip["clip_id"]] = [Frame(f["time_s"], f["jpeg"]) for f in frames]
    return found
