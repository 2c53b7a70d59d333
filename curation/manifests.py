"""Lists of input files that the user writes: CSV, JSON Lines or Parquet with a column `uri`."""

import csv
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

_LARGEST_FIELD = 1 << 20
_ENCODING_HINT = "is it encoded as UTF-8?"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a manifest.

    Attributes:
        number: line of a text file, row of a Parquet file, counted from 1.
        uri: what the line names, as it is written; None where it names nothing.
        licence: column `licence` or `license`.
        source: column `source`.
        carried: the other columns that have a value, as a JSON object with sorted keys.
        error: what is wrong with a line without `uri`.
    """

    number: int
    uri: str | None
    licence: str | None = None
    source: str | None = None
    carried: str | None = None
    error: str | None = None


def read_manifest(path: Path, suffix: str) -> Iterator[Line]:
    """The lines of a manifest, one at a time, in constant memory.

    Args:
        path: a local file.
        suffix: which of `MANIFESTS` it is.

    Raises:
        ValueError: it is no such file, or has no column `uri`.
    """
    return MANIFESTS[suffix](path)


def _csv_lines(path: Path) -> Iterator[Line]:
    csv.field_size_limit(_LARGEST_FIELD)
    with _opened(path) as file:
        reader = csv.reader(file, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header)
            for cells in reader:
                if len(cells) > len(header):
                    error = f"{len(cells)} cells under {len(header)} columns"
                    yield Line(reader.line_num, None, error=error)
                elif cells:
                    yield _line(reader.line_num, dict(zip(header, cells, strict=False)))
        except csv.Error as error:
            raise ValueError(
                f"{path.name}, line {reader.line_num}: {error}; {_ENCODING_HINT}"
            ) from error


def _json_lines(path: Path) -> Iterator[Line]:
    with _opened(path) as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                columns = json.loads(text)
            except (json.JSONDecodeError, RecursionError) as error:
                yield Line(number, None, error=f"is not JSON: {error}")
                continue
            if isinstance(columns, dict):
                yield _line(number, columns)
            else:
                yield Line(number, None, error="is not a JSON object")


def _parquet_lines(path: Path) -> Iterator[Line]:
    try:
        with pq.ParquetFile(path) as file:
            _check_header(path, file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(batch_size=8192):
                for columns in batch.to_pylist():
                    number += 1
                    yield _line(number, columns)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path.name} cannot be read as Parquet: {error}") from error


MANIFESTS: dict[str, Callable[[Path], Iterator[Line]]] = {
    ".csv": _csv_lines,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet_lines,
}
"""The kinds of manifest, by extension."""


def _opened(path: Path) -> TextIO:
    """Text that may begin with a byte order mark; bytes that are no UTF-8 survive in file names."""
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _check_header(path: Path, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if "uri" not in names:
        shown = ", ".join(repr(name) for name in names[:10]) or "no columns"
        raise ValueError(f"{path.name} has no column 'uri', only {shown}; {_ENCODING_HINT}")
    if twice:
        raise ValueError(f"{path.name} has several columns {', '.join(map(repr, twice))}")


def _line(number: int, columns: dict[str, Any]) -> Line:
    uri = columns.pop("uri", None)
    if not isinstance(uri, str) or not uri.strip():
        what = "has no uri" if uri is None or uri == "" else f"its uri is {uri!r}"
        return Line(number, None, error=what[:200])
    if "\0" in uri:
        return Line(number, None, error="its uri holds a null character")
    american = columns.pop("license", None)
    return Line(
        number,
        uri,
        licence=_text(columns.pop("licence", None) or american),
        source=_text(columns.pop("source", None)),
        carried=_carried(columns),
    )


def _text(value: object) -> str | None:
    return None if value is None or value == "" else _valid(str(value))


def _valid(text: str) -> str:
    """The text with what is no UTF-8 replaced, as Arrow and JSON readers demand."""
    return text.encode("utf-8", "replace").decode()


def _carried(columns: dict[str, Any]) -> str | None:
    kept = {
        name: value
        for name, value in columns.items()
        if value is not None
        and value != ""
        and not (isinstance(value, float) and math.isnan(value))
    }
    if not kept:
        return None
    return _valid(json.dumps(kept, sort_keys=True, default=str, ensure_ascii=False))
