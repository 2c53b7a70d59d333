"""Croissant 1.1 metadata of the shards: what catalogues of data sets and `mlcroissant` read."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import duckdb
import obstore
import pyarrow as pa

from curation import tables
from curation.funnel import funnel
from curation.views import SHARDS
from pipelines.croissant_rai import responsible
from pipelines.dataset_card import licence_word
from pipelines.escaping import printable
from pipelines.queries import open_views, parts_of
from pipelines.run import code_version
from pipelines.workspace import Table, Workspace, storage_errors

FILE = "croissant.json"

LICENCE_PAGES = {
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "cc-by-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc-by-sa-3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "cc-by-sa-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "mit": "https://opensource.org/license/mit",
}
"""Where each of `pipelines.dataset_card.LICENCES` is published."""

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    **{
        name: f"cr:{name}"
        for name in (
            *("arrayShape", "citeAs", "column", "equivalentProperty", "extract", "field"),
            *(
                "fileObject",
                "fileSet",
                "fileProperty",
                "format",
                "includes",
                "isArray",
                "isLiveDataset",
                "jsonPath",
                "key",
            ),
            *("md5", "parentField", "path", "recordSet", "references", "regex", "repeated"),
            *("replace", "samplingRate", "separator", "source", "subField", "transform"),
        )
    },
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
"""The terms that the specification asks for, as it writes them."""

_TYPES = {
    pa.string(): "sc:Text",
    pa.int16(): "cr:Int16",
    pa.int32(): "cr:Int32",
    pa.int64(): "cr:Int64",
    pa.float32(): "cr:Float32",
    pa.float64(): "cr:Float64",
    pa.bool_(): "sc:Boolean",
}


def croissant(workspace: Workspace, known: Mapping[str, tuple[int, str]] | None = None) -> str:
    """The metadata as JSON-LD: files with their checksums, columns, licence and how it was made.

    It names the files of usable samples only, so what lies below `failed/` is none of it.

    Args:
        workspace: whose shards.
        known: size and SHA-256 of files by their path below `shards/`, of an earlier report. A
            file is written once and under a name of its own, so those are not read again.

    Raises:
        ValueError: this is no workspace, or it has no shards yet.
        StorageError: the storage cannot be read.
    """
    subsets = [name.removeprefix(SHARDS) for name in parts_of(workspace, SHARDS)]
    if not subsets:
        raise ValueError(f"{workspace.uri} has no shards yet")
    with open_views(workspace) as connection:
        about = _about(workspace, connection, subsets)
        kinds = dict(
            connection.sql(
                """SELECT subset, bool_and(fps IS NULL) FROM shards WHERE status = 'ok'
                GROUP BY subset"""
            ).fetchall()
        )
    distribution: list[dict[str, Any]] = []
    records = []
    for subset in sorted(kinds):
        files = list(_files(workspace.table(SHARDS + subset), known or {}))
        distribution += files
        distribution.append(_file_set(subset, [file["@id"] for file in files]))
        records.append(_record_set(subset, is_images=kinds[subset]))
    about |= {"distribution": distribution, "recordSet": records}
    return json.dumps(about, indent=1, ensure_ascii=False) + "\n"


def known_files(text: str) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of the files that an earlier `croissant` named, by their path."""
    try:
        entries = json.loads(text)["distribution"]
        return {
            entry["@id"]: (int(entry["contentSize"].removesuffix(" B")), entry["sha256"])
            for entry in entries
            if entry["@type"] == "cr:FileObject"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # Not ours, or cut off: the files are read again.


def _files(table: Table, known: Mapping[str, tuple[int, str]]) -> Iterator[dict[str, Any]]:
    """A FileObject for each committed file of samples that are `ok`."""
    with storage_errors(table.uri):
        added = pa.table(table.delta().get_add_actions())
    store = table.workspace.reading_store(table.name)
    listed = zip(added["path"].to_pylist(), added["size_bytes"].to_pylist(), strict=True)
    for path, size in sorted(listed):
        if "/" in path:
            continue  # failed/ and rejected/
        name = f"{table.name.removeprefix(SHARDS)}/{path}"
        seen_size, sha256 = known.get(name, (None, ""))
        if seen_size != size:
            sha256 = _sha256(store, path, f"{table.uri}/{path}")
        yield {
            "@type": "cr:FileObject",
            "@id": name,
            "name": path,
            "contentUrl": quote(name),
            "contentSize": f"{size} B",
            "encodingFormat": "application/x-parquet",
            "sha256": sha256,
        }


def _sha256(store: obstore.store.ObjectStore, path: str, uri: str) -> str:
    digest = hashlib.sha256()
    with storage_errors(uri):
        for chunk in obstore.get(store, path).stream(min_chunk_size=8 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _file_set(subset: str, files: Sequence[str]) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{subset}-files",
        "name": f"{subset}-files",
        "description": f"The Parquet files of subset {subset}, a row per sample.",
        "containedIn": [{"@id": name} for name in files],
        "encodingFormat": "application/x-parquet",
        "includes": f"{subset}/*.parquet",
    }


def _record_set(subset: str, *, is_images: bool) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": subset,
        "name": subset,
        "description": f"The samples of subset {subset}.",
        "key": {"@id": f"{subset}/clip_id"},
        "field": [_field(subset, field, is_images=is_images) for field in tables.SHARD],
    }


def _field(subset: str, field: pa.Field, *, is_images: bool) -> dict[str, Any]:
    kind = field.type.value_type if pa.types.is_list(field.type) else field.type
    if field.name == "video":
        data_type = "sc:ImageObject" if is_images else "sc:VideoObject"
    else:
        data_type = _TYPES[kind]
    found: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{subset}/{field.name}",
        "name": field.name,
        "description": field.metadata[b"doc"].decode(),
        "dataType": data_type,
        "source": {
            "fileSet": {"@id": f"{subset}-files"},
            "extract": {"column": field.name},
        },
    }
    if pa.types.is_list(field.type):
        found |= {"isArray": True, "arrayShape": "-1"}
    return found


def _about(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, subsets: Sequence[str]
) -> dict[str, Any]:
    deltas = [workspace.table(SHARDS + subset).delta() for subset in subsets]
    last_ms = max(delta.history(1)[0]["timestamp"] for delta in deltas)
    modified = datetime.fromtimestamp(last_ms // 1000, UTC)
    licence = licence_word(connection)
    name = printable(workspace.uri.rpartition("/")[2])
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": name,
        "description": (
            "Single-shot clips for training text-to-video models, cut and encoded by Moviola "
            f"{code_version()}: subsets {', '.join(subsets)}. README.md beside this file has the "
            "funnel, the spread of every measure, and the sources."
        ),
        "license": LICENCE_PAGES.get(licence, _licences(connection)),
        "version": f"{max(delta.version() for delta in deltas)}.0.0",
        "datePublished": modified.date().isoformat(),
        "dateModified": modified.isoformat(),
        "citeAs": f"{name}, {modified.year}. Clips curated by Moviola {code_version()}.",
        "isLiveDataset": False,
        **responsible(connection, funnel(connection)),
    }


def _licences(connection: duckdb.DuckDBPyConnection) -> str:
    """The licences in words, where there is no one page for them all."""
    rows = connection.sql(
        """SELECT DISTINCT coalesce(licence, 'not stated') FROM shards WHERE status = 'ok'
        ORDER BY 1"""
    ).fetchall()
    return "; ".join(printable(licence) for (licence,) in rows) or "not stated"
