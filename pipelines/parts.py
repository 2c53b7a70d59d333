"""Parts: the immutable Parquet files that a table is made of.

A part holds rows of one fingerprint. Failed and rejected rows have parts of their own, below
`failed/` and `rejected/`, so that trying them again rewrites no other row, and a glob over
`*.parquet` meets usable rows only.
"""

import io
import json
import re
import secrets
import time
from collections.abc import Iterator, Sequence

import obstore
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from curation.storage import make_durable, store_for
from curation.tables import FAILED, FINGERPRINT, OK, REJECTED
from pipelines.workspace import storage_errors

FOLDERS = {OK: "", REJECTED: "rejected/", FAILED: "failed/"}
"""Where parts lie, by the status of their rows."""

ROW_GROUP_BYTES = 1 << 20
"""One sample is read by reading its row group, so groups stay small."""

INDEXED = "delta.dataSkippingStatsColumns"
"""Delta indexes the first 32 columns unless told which; ours need not be among them."""


def indexed_columns(key: str, tracked: Sequence[str] = ()) -> list[str]:
    """The columns whose least and greatest value stand in the log, for each part."""
    return [key, "status", FINGERPRINT.name, *tracked]


def write_parts(table_uri: str, rows: pa.Table, key: str, tracked: Sequence[str] = ()) -> list[str]:
    """Writes the rows as parts that nobody sees yet, and returns what a commit needs to add them.

    Args:
        table_uri: directory or prefix of the table.
        rows: rows with `status` and `fingerprint`, one fingerprint in all of them.
        key: the id column; the parts' names begin with its first value, so that files in the order
            of their names hold rows in the order of their ids.
        tracked: further columns that the engine compares with later inputs.

    Returns:
        One JSON text per part, for `add_action`.

    Raises:
        StorageError: when a part cannot be written.
    """
    alike = ((at, rows.filter(pc.equal(rows["status"], status))) for status, at in FOLDERS.items())
    return [
        _write_part(table_uri, folder, part, key, tracked)
        for folder, part in alike
        if part.num_rows
    ]


def _write_part(
    table_uri: str, folder: str, rows: pa.Table, key: str, tracked: Sequence[str]
) -> str:
    content = parquet_bytes(rows)
    slug = re.sub(r"[^A-Za-z0-9_-]", "_", rows[key][0].as_py())[:64]
    path = f"{folder}part-{slug}-{secrets.token_hex(8)}.parquet"
    with storage_errors(f"{table_uri}/{path}", need_bytes=len(content)):
        obstore.put(store_for(table_uri), path, content)
        make_durable(f"{table_uri}/{path}")
    indexed = rows.select(indexed_columns(key, tracked))
    bounds = {name: pc.min_max(indexed[name]).as_py() for name in indexed.column_names}
    stats = {
        "numRecords": rows.num_rows,
        "minValues": {name: bound["min"] for name, bound in bounds.items()},
        "maxValues": {name: bound["max"] for name, bound in bounds.items()},
        "nullCount": {name: indexed[name].null_count for name in indexed.column_names},
    }
    return json.dumps({"path": path, "size": len(content), "stats": json.dumps(stats)})


def add_action(action: str) -> AddAction:
    """The Delta action that adds a part, from the text that `write_parts` returned."""
    part = json.loads(action)
    written_ms = int(time.time() * 1000)
    return AddAction(part["path"], part["size"], {}, written_ms, True, part["stats"])


def parquet_bytes(rows: pa.Table) -> bytes:
    """The rows as a Parquet file: small row groups, media as it is, all else compressed."""
    leaves = list(_leaves(rows.schema))
    small = [path for path, kind in leaves if not pa.types.is_binary(kind)]
    per_group = max(1, ROW_GROUP_BYTES * rows.num_rows // max(1, rows.nbytes))
    buffer = io.BytesIO()
    pq.write_table(
        rows,
        buffer,
        row_group_size=per_group,
        # JPEG and MP4 do not shrink, and their bounds would be copies of whole pictures.
        compression={path: "zstd" if path in small else "none" for path, _ in leaves},
        use_dictionary=small,
        write_statistics=small,
        # So that `moviola verify` sees one flipped bit, in a JPEG too.
        write_page_checksum=True,
    )
    return buffer.getvalue()


def _leaves(
    fields: Sequence[pa.Field] | pa.Schema, above: str = ""
) -> Iterator[tuple[str, pa.DataType]]:
    for field in fields:
        yield from _column(f"{above}{field.name}", field.type)


def _column(path: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    if pa.types.is_struct(kind):
        yield from _leaves(list(kind), f"{path}.")
    elif pa.types.is_list(kind):
        yield from _column(f"{path}.list.element", kind.value_type)
    else:
        yield path, kind
