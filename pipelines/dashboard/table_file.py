"""Tables as files to save: Parquet as it is, and CSV that a spreadsheet may open."""

import io
import re
from collections.abc import Iterator
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq
from starlette.responses import Response, StreamingResponse

_ROWS_AT_ONCE = 50_000
"""Of a CSV file: of millions of clips only so many are in memory as text."""


def table_file(table: pa.Table, name: str, kind: Literal["csv", "parquet"]) -> Response:
    """A table as a file to save; its name is `name` as far as that is plain ASCII."""
    plain = re.sub(r"[^A-Za-z0-9_@.-]", "_", name)
    headers = {"content-disposition": f'attachment; filename="{plain}.{kind}"'}
    if kind == "csv":
        return StreamingResponse(_csv(table), media_type="text/csv", headers=headers)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return Response(buffer.getvalue(), media_type="application/vnd.apache.parquet", headers=headers)


def _csv(table: pa.Table) -> Iterator[bytes]:
    """The table as CSV, part by part; every text is in quotes."""
    plain = pa.schema(
        field.with_type(pa.string()) if _is_text(field.type) else field for field in table.schema
    )
    buffer = io.BytesIO()
    with pc_csv.CSVWriter(buffer, plain) as writer:
        for first in range(0, max(1, table.num_rows), _ROWS_AT_ONCE):
            rows = table.slice(first, _ROWS_AT_ONCE).cast(plain)
            cells = [_no_formulas(one) if _is_text(one.type) else one for one in rows.columns]
            writer.write_table(pa.table(cells, schema=plain))
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()


def _is_text(kind: pa.DataType) -> bool:
    is_string = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return pa.types.is_dictionary(kind) or any(one(kind) for one in is_string)


def _no_formulas(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The texts, with an apostrophe before each that a spreadsheet would run as a formula."""
    return pc.replace_substring_regex(texts, r"\A([=+\-@\t\r])", r"'\1")
