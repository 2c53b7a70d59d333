"""The stored pictures of clips, for pages that people look at."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow.compute as pc

from pipelines.workspace import Workspace, storage_errors


class Frame(NamedTuple):
    """A stored frame."""

    time_s: float
    jpeg: bytes


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
