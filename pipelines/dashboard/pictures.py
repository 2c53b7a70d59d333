"""Pictures and samples of single clips, by their place in the tables."""

from collections.abc import Sequence

from pipelines.dashboard.stored_rows import RecentRows, stored_row
from pipelines.stored_frames import Frame, lower_jpeg
from pipelines.workspace import Workspace

RECENT_BYTES = 256 << 20
"""Rows of table `clips` that are kept in memory: those of one page share videos, and so rows."""

JPEG_QUALITY = 80

_recent = RecentRows(RECENT_BYTES)


def frames_of(workspace: Workspace, file: str, row: int, clip_id: str) -> list[Frame]:
    """The stored frames of one clip, in time order.

    Args:
        workspace: where it is.
        file: the file of table `clips` that holds its video's row, relative to the table.
        row: that row's number in the file.
        clip_id: the clip.

    Raises:
        ValueError: the row holds no such clip.
        StorageError: the file is not there, or cannot be read.
    """
    place = (workspace.table("clips").uri, file, row)
    columns = ["clips.list.element.clip_id", "frames"]
    found = _recent.get(place, lambda: stored_row(workspace, "clips", file, row, columns))
    clips = found["clips"][0].as_py() or []
    number = next((at for at, clip in enumerate(clips) if clip["clip_id"] == clip_id), None)
    if number is None:
        raise ValueError(f"row {row} of {file} holds no clip {clip_id}")
    frames = found["frames"][0].values[number].as_py()
    return [Frame(frame["time_s"], frame["jpeg"]) for frame in frames]


def poster(frames: Sequence[Frame], index: int, height_px: int) -> bytes:
    """One of the frames as a small JPEG, its sides in proportion.

    Args:
        frames: of one clip.
        index: which of them.
        height_px: height of the result; a frame that is no higher is returned as it is.

    Raises:
        ValueError: there is no such frame, or it is damaged.
    """
    if not 0 <= index < len(frames):
        raise ValueError(f"the clip has {len(frames)} stored frames, so none of number {index}")
    if height_px < 1:
        raise ValueError(f"a poster is at least 1 px high, not {height_px}")
    found = lower_jpeg(frames[index].jpeg, height_px, JPEG_QUALITY)
    if found is None:
        raise ValueError(f"stored frame {index} of the clip is damaged")
    return found


def sample_bytes(workspace: Workspace, table: str, file: str, row: int) -> bytes:
    """The video of a sample as it is trained on: MP4, or JPEG if it is an image.

    Args:
        workspace: where it is.
        table: the table of samples, such as `shards/256p`.
        file: the file of the table that holds the sample, relative to the table.
        row: its row in the file.

    Raises:
        ValueError: there is no such sample, or it has no video because cutting it failed.
        StorageError: the file is not there, or cannot be read.
    """
    video = stored_row(workspace, table, file, row, ["video"])["video"][0].as_py()
    if not video:
        raise ValueError(f"row {row} of {table}/{file} has no video: the sample was not made")
    return bytes(video)
