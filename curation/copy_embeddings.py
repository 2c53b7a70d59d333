"""The copy detector's embeddings, out of rows of table `scores` or of a file like it."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from curation.embedded_clips import EmbeddedClips, joined
from curation.models.sscd import CopyDetector
from curation.views import Rows

READ_CLIPS = 1 << 10
"""Clips that are read together, to bound memory (8 MB at four frames each)."""


def frame_embeddings(scores: Rows) -> tuple[EmbeddedClips, list[str]]:
    """The clips that have embeddings, as float16, and the ids of those that have none.

    Arrow's buffers become one array without a Python object per number: 4 kB for a clip of four
    frames. While they are put together they are there twice.

    Args:
        scores: rows with `clip_id` and `copy_embedding`, and `video_id` and `models` if known.

    Raises:
        ValueError: a column is missing or of another type; an id or a number is null; embeddings
            of several lengths or of several models.
    """
    rows = ds.dataset(scores) if isinstance(scores, pa.Table) else scores
    _check_schema(rows.schema)
    wanted = ("clip_id", "copy_embedding", "video_id", "models")
    columns = [name for name in wanted if name in rows.schema.names]
    # Without Arrow's read-ahead, which would hold gigabytes at once.
    few = {"batch_size": READ_CLIPS, "batch_readahead": 1, "fragment_readahead": 1}
    parts, without = [], []
    for batch in rows.to_batches(columns, **few):
        if batch["clip_id"].null_count:
            raise ValueError("a clip_id is null")
        has = pc.greater(pc.fill_null(pc.list_value_length(batch["copy_embedding"]), 0), 0)
        without += batch["clip_id"].filter(pc.invert(has)).to_pylist()
        parts.append(_embedded(batch.filter(has)))
    return joined(parts), without


def _check_schema(schema: pa.Schema) -> None:
    """Raises ValueError unless there are ids, and a list of embeddings for each."""
    for name in ("clip_id", "copy_embedding"):
        if name not in schema.names:
            raise ValueError(f"the column {name} is missing; there are {', '.join(schema.names)}")
    kind = schema.field("copy_embedding").type
    if not (_is_list(kind) and _is_list(kind.value_type)):
        raise ValueError(f"copy_embedding holds a list of embeddings for each clip, not {kind}")


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _embedded(batch: pa.RecordBatch) -> EmbeddedClips:
    """The clips of the batch, all of which have embeddings."""
    ids = batch["clip_id"].to_pylist()
    frames = pc.list_value_length(batch["copy_embedding"]).to_numpy()
    rows = batch["copy_embedding"].flatten()
    numbers = rows.flatten()
    if rows.null_count or numbers.null_count:
        raise ValueError("an embedding, or a number of one, is null")
    lengths = pc.list_value_length(rows).unique().to_pylist()
    if len(lengths) > 1:
        raise ValueError(f"embeddings of several lengths cannot be compared: {lengths}")
    half = numbers.to_numpy().astype(np.float16).reshape(len(rows), -1 if len(numbers) else 0)
    videos = (
        batch["video_id"].to_pylist() if "video_id" in batch.schema.names else [None] * len(ids)
    )
    return EmbeddedClips(ids, videos, half, np.repeat(np.arange(len(ids)), frames), _model(batch))


def _model(batch: pa.RecordBatch) -> str | None:
    """The copy detector among all models that looked at the clips, None where none is named.

    Raises:
        ValueError: there are several.
    """
    if "models" not in batch.schema.names:
        return None
    names = [name for name in batch["models"].flatten().unique().to_pylist() if name is not None]
    found = sorted(name for name in names if name.startswith(f"{CopyDetector.name}:"))
    if len(found) > 1:
        raise ValueError(f"embeddings of several models cannot be compared: {', '.join(found)}")
    return found[0] if found else None
