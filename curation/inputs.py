"""What the user names as input, as rows: folders, globs, prefixes, single files and manifests."""

import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation import storage
from curation.listings import WILDCARD, Found, below, local_file, matching, objects
from curation.manifests import MANIFESTS, Line, read_manifest
from curation.tables import CARRIED, SOURCES

INPUTS = pa.schema(
    [
        *(SOURCES.field(name) for name in ("uri", "size_bytes", "modified")),
        *CARRIED,
        pa.field("reason", pa.string(), metadata={"doc": "why the input cannot be read at all"}),
        pa.field("error", pa.string(), metadata={"doc": "the same in words"}),
    ]
)
"""One row per input file, what `IngestStage` takes. `reason` is null for all that can be tried."""

_ROWS = 65_536


@dataclass
class Inputs:
    """The input files and what was passed over.

    Attributes:
        rows: schema `INPUTS`, one row per `uri`.
        skipped: how many files of folders and prefixes were passed over, by extension
            (`hidden` for names that begin with a dot).
        duplicates: how many files were named more than once, and are taken once.
    """

    rows: pa.Table
    skipped: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0


def read_inputs(names: list[str], follow_links: bool = False) -> Inputs:
    """The rows of everything that is named.

    Args:
        names: paths, globs or URIs: a manifest (`.csv`, `.jsonl`, `.ndjson`, `.parquet`), a file,
            or a folder or prefix, taken with all below it.
        follow_links: take links that lead out of their folder as well.

    Raises:
        ValueError: a name leads to nothing, or a manifest has no column `uri` or cannot be parsed.
        storage.StorageError: a folder or a store cannot be listed.
    """
    inputs = Inputs(INPUTS.empty_table())
    # Manifests come first, so that a file that a folder holds as well keeps its licence.
    ordered = sorted(names, key=lambda name: not _is_manifest(name))
    found = itertools.chain.from_iterable(
        _named(name, follow_links, inputs.skipped) for name in ordered
    )
    tables = [inputs.rows]
    while batch := [_row(file, line) for file, line in itertools.islice(found, _ROWS)]:
        tables.append(pa.Table.from_pylist(batch, schema=INPUTS))
    everything = pa.concat_tables(tables)
    inputs.rows = _first_of_each(everything)
    inputs.duplicates = everything.num_rows - inputs.rows.num_rows
    return inputs


def _row(file: Found, line: Line | None) -> dict[str, object]:
    return {
        "uri": file.uri,
        "size_bytes": file.entry.size_bytes if file.entry else None,
        "modified": file.entry.modified if file.entry else None,
        "licence": line.licence if line else None,
        "source": line.source if line else None,
        "carried": line.carried if line else None,
        "reason": file.reason,
        "error": file.error,
    }


def _first_of_each(rows: pa.Table) -> pa.Table:
    """The first row of every `uri`, in the order of the rows."""
    keys = rows.select(["uri"]).append_column("position", pa.array(range(rows.num_rows)))
    firsts = keys.group_by("uri").aggregate([("position", "min")])["position_min"]
    if len(firsts) == rows.num_rows:
        return rows
    is_first = np.zeros(rows.num_rows, bool)
    is_first[firsts.to_numpy()] = True
    return rows.filter(pa.array(is_first))


def _is_manifest(name: str) -> bool:
    return Path(name).suffix.lower() in MANIFESTS


def _named(
    name: str, follow_links: bool, skipped: Counter[str]
) -> Iterator[tuple[Found, Line | None]]:
    """The files that one name means, each with its line where the name is that of a manifest."""
    if storage.scheme_of(name) == "file":
        name = str(storage.path_of(name.removeprefix("file://")))
    path = Path(name)
    files: Iterator[Found]
    if storage.scheme_of(name) is not None:
        if _is_manifest(name):
            return _listed(name, follow_links)
        files = objects(name, skipped)
    elif not os.path.lexists(path) and WILDCARD.search(name):
        files = matching(name, follow_links)
    elif not path.exists():
        raise ValueError(f"input {name!r} does not exist")
    elif path.is_dir():
        files = below(path, follow_links, skipped)
    elif _is_manifest(name):
        return _listed(storage.uri_of(path), follow_links)
    else:
        files = iter([local_file(path, None)])
    return ((file, None) for file in files)


def _listed(manifest: str, follow_links: bool) -> Iterator[tuple[Found, Line]]:
    """What the lines of a manifest name; a bad line is a row of its own that tells its number."""
    folder = manifest.rpartition("/")[0]
    with (
        tempfile.TemporaryDirectory(prefix="moviola-manifest-") as scratch,
        storage.local_copy(manifest, Path(scratch)) as path,
    ):
        for line in read_manifest(path, Path(manifest).suffix.lower()):
            try:
                if line.uri is None:
                    raise ValueError(line.error)
                file = _of_line(line.uri, folder, follow_links)
            except ValueError as error:
                words = f"line {line.number} of {manifest}: {error}"
                key = f"{manifest}#line-{line.number}"
                file = Found(key, reason="unreadable", error=words)
            yield file, line


def _of_line(uri: str, folder: str, follow_links: bool) -> Found:
    """What a manifest in `folder` means by `uri`.

    Raises:
        ValueError: the line may not name that.
    """
    scheme = storage.scheme_of(uri)
    if storage.is_remote(uri):
        storage.check_remote(uri)
        return Found(uri)
    if scheme not in (None, "file"):
        raise ValueError(f"scheme {scheme!r} is not supported")
    relative = scheme is None and not uri.startswith("/")
    if relative and ".." in uri.split("/"):
        raise ValueError(f"{uri!r} leaves the folder of the manifest; write an absolute path")
    if storage.is_remote(folder):
        if not relative:
            raise ValueError(f"{uri!r} is a local path, in a manifest that is not")
        return Found(storage.join(folder, uri))
    if scheme == "file":
        return local_file(storage.path_of(uri.removeprefix("file://")), None)
    base = storage.path_of(folder or "/")
    return local_file(base / uri, base if relative and not follow_links else None)
