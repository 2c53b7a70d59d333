"""The rows of table `clips` for the index, read by their Parquet leaves, pictures left out.

A row of the table holds all clips of a video, and most of its bytes are pictures and paths of the
camera. Reading the named leaves alone takes a third of the time of a scan.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.rules import CLIP_MEASURES, PASS_MEASURES
from curation.tables import CLIP, CLIPS, FINGERPRINT, STATE
from pipelines.dashboard.stored_rows import opened
from pipelines.workspace import Table, reading_file

FLAT = pa.schema(
    [
        pa.field("file", pa.string()),
        pa.field("row", pa.int64()),
        CLIPS.field("video_id"),
        *(CLIPS.field(name) for name in PASS_MEASURES),
        CLIP.field("clip_id"),
        *(CLIP.field(name) for name in CLIP_MEASURES),
    ]
).remove_metadata()
"""A row per clip, with the file and the row in which its video's pictures lie."""

_PASS = ["decoded_frames", "decode_failures", "decoded_s", "peak_memory_bytes"]
_LENGTH = pa.struct([pa.field("duration_s", pa.float64())])
PASSES = pa.schema(
    [
        pa.field("file", pa.string()),
        CLIPS.field("video_id"),
        pa.field("clips", pa.list_(_LENGTH)),
        CLIPS.field("cuts"),
        *(CLIPS.field(name) for name in _PASS),
        *STATE,
        FINGERPRINT,
    ]
).remove_metadata()
"""A row per video; of its clips only the lengths, which is what the funnel asks for."""

_ROWS_AT_ONCE = 50_000
"""DuckDB takes many small batches twenty times as slowly as few large ones."""

_CLIP_FIELDS = ("clip_id", *CLIP_MEASURES)
_COLUMNS = [
    *("video_id", "cuts", FINGERPRINT.name, *(field.name for field in STATE)),
    *dict.fromkeys((*PASS_MEASURES, *_PASS)),
    *(f"clips.list.element.{name}" for name in _CLIP_FIELDS),
]


class ClipRows(NamedTuple):
    """The rows of some files."""

    flat: pa.Table
    """`FLAT`"""
    passes: pa.Table
    """`PASSES`"""


def clip_rows(table: Table, files: Sequence[str], num_threads: int) -> Iterator[ClipRows]:
    """The rows of these files of table `clips`, some ten thousand at a time, in their order.

    A column that a file of an earlier version lacks is null.

    Raises:
        StorageError: a file cannot be read.
    """
    # Files of real runs hold few videos each, so several make one task.
    per_task = max(1, min(64, len(files) // (8 * num_threads)))
    starts = iter(range(0, len(files), per_task))

    def task(start: int) -> list[tuple[pa.RecordBatch, pa.RecordBatch]]:
        return [_of_file(table, file) for file in files[start : start + per_task]]

    with ThreadPoolExecutor(num_threads) as pool:
        # Never more than a few ahead, which bounds memory.
        waiting = deque(pool.submit(task, start) for start in islice(starts, 2 * num_threads))
        found: list[tuple[pa.RecordBatch, pa.RecordBatch]] = []
        while waiting:
            found += waiting.popleft().result()
            waiting.extend(pool.submit(task, start) for start in islice(starts, 1))
            if not waiting or sum(flat.num_rows for flat, _ in found) >= _ROWS_AT_ONCE:
                yield ClipRows(
                    *(
                        pa.Table.from_batches(part).combine_chunks()
                        for part in zip(*found, strict=True)
                    )
                )
                found = []


def _of_file(table: Table, file: str) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    with (
        reading_file(table, file),
        pq.ParquetFile(opened(table, file), pre_buffer=table.workspace.is_remote) as parquet,
    ):
        rows = parquet.read(columns=_COLUMNS, use_threads=False).combine_chunks()
    kind = rows.schema.field("clips").type
    clips = rows["clips"].chunk(0) if rows.num_rows else pa.array([], kind)
    owner = pc.list_parent_indices(clips)
    each = clips.flatten()
    fields = dict(zip((field.name for field in each.type), each.flatten(), strict=True))
    columns = {name: rows[name].combine_chunks() for name in rows.schema.names if name != "clips"}
    flat = {name: column.take(owner) for name, column in columns.items()} | fields
    flat |= {"row": owner, "file": pa.repeat(file, len(owner))}
    lengths = pa.StructArray.from_arrays([fields["duration_s"]], fields=list(_LENGTH))
    # Rows of failed videos have no list; their offsets are equal.
    offsets = clips.offsets if len(clips) else pa.array([0], pa.int32())
    offsets = pc.subtract(offsets, offsets[0])
    passes = columns | {
        "file": pa.repeat(file, rows.num_rows),
        "clips": pa.ListArray.from_arrays(offsets, lengths, mask=clips.is_null()),
    }
    return _batch(flat, FLAT, len(owner)), _batch(passes, PASSES, rows.num_rows)


def _batch(columns: dict[str, pa.Array], schema: pa.Schema, num_rows: int) -> pa.RecordBatch:
    found = [
        columns[field.name].cast(field.type)
        if field.name in columns
        else pa.nulls(num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(found, schema=schema)
