"""Clips that are known from elsewhere: what earlier workspaces keep, and files that list clips."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from curation.copy_embeddings import frame_embeddings
from curation.embedded_clips import EmbeddedClips, check_clips, chosen, joined
from curation.tables import OK
from curation.views import Rows


def listed_clips(rows: Rows) -> EmbeddedClips:
    """The clips of a block list, sorted by id; those without an embedding are left out.

    Args:
        rows: as `frame_embeddings` takes them, such as a dataset of Parquet files.

    Raises:
        ValueError: what `frame_embeddings` and `check_clips` raise; no clip has an embedding.
    """
    clips, without = frame_embeddings(rows)
    if without and not clips.ids:
        raise ValueError(f"none of its {len(without):,} clips has an embedding")
    check_clips(clips)
    return chosen(clips, sorted(range(len(clips.ids)), key=clips.ids.__getitem__))


def kept_clips(selection: Rows, scores: Rows) -> EmbeddedClips:
    """The clips that any subset of a workspace keeps, sorted by id.

    Args:
        selection: rows of the workspace's table `selection`.
        scores: rows of its table `scores`.

    Raises:
        ValueError: what `listed_clips` raises.
    """
    is_kept = pc.field("status") == OK
    selected = _dataset(selection).to_table(columns=["clip_id"], filter=is_kept)["clip_id"].unique()
    return listed_clips(_dataset(scores).filter(pc.field("clip_id").isin(selected)))


def first_of_each(lists: Iterable[EmbeddedClips]) -> EmbeddedClips:
    """The clips of all lists, in their order, each id once.

    Raises:
        ValueError: they cannot be compared with each other.
    """
    seen: set[str] = set()
    parts = []
    for clips in lists:
        parts.append(chosen(clips, [i for i, name in enumerate(clips.ids) if name not in seen]))
        seen.update(clips.ids)
    return joined(parts)


def _dataset(rows: Rows) -> ds.Dataset:
    return ds.dataset(rows) if isinstance(rows, pa.Table) else rows
