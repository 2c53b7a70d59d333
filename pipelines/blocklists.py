"""Block lists by their paths: earlier workspaces, and Parquet files."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from curation.blocklists import first_of_each, kept_clips, listed_clips
from curation.embedded_clips import EmbeddedClips
from curation.storage import is_remote, local_copy, uri_of
from pipelines.workspace import Workspace, storage_errors

SUFFIX = ".parquet"


def read_blocklists(uris: Iterable[str], workspace: Workspace) -> EmbeddedClips:
    """The clips of all lists, each once: what duplicates of `workspace` are looked for in too.

    Args:
        uris: of each, a workspace, of which the clips count that any of its subsets keeps, or a
            Parquet file (`.parquet`) with the columns that `frame_embeddings` asks for; local, or
            in an object store.
        workspace: the one that is being curated.

    Raises:
        ValueError: one of them is neither, is `workspace` itself, or holds what cannot be compared;
            the message names it.
        StorageError: one cannot be read.
    """
    return first_of_each([_read(uri, workspace) for uri in uris])


def _read(uri: str, workspace: Workspace) -> EmbeddedClips:
    try:
        if uri.endswith(SUFFIX):
            return _of_file(uri)
        earlier = Workspace(uri)
        if earlier.uri == workspace.uri:
            raise ValueError("this is the workspace itself: all of its clips would be duplicates")
        return _of_workspace(earlier)
    except ValueError as error:
        raise ValueError(f"block list {uri}: {error}") from error


def _of_workspace(workspace: Workspace) -> EmbeddedClips:
    tables = {name: workspace.table(name) for name in ("selection", "scores")}
    for name, table in tables.items():
        if not table.exists():
            raise ValueError(f"no Parquet file ({SUFFIX}), and no workspace with a table {name}")
    with storage_errors(workspace.uri):
        return kept_clips(*(table.dataset() for table in tables.values()))


def _of_file(uri: str) -> EmbeddedClips:
    with storage_errors(uri), tempfile.TemporaryDirectory(prefix="moviola-") as scratch:
        place = uri if is_remote(uri) else uri_of(uri)
        try:
            with local_copy(place, Path(scratch)) as path:
                return listed_clips(ds.dataset(path, format="parquet"))
        except FileNotFoundError as error:
            raise ValueError("there is no such file") from error
        except pa.ArrowInvalid as error:
            raise ValueError(f"no Parquet file: {error}") from error
