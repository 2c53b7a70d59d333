"""The workspace: a directory or bucket prefix that holds the Delta tables of one curation.

Readers see committed rows only, at any moment, whatever is being written or was killed: a table is
what its Delta log names, never what lies in its directory.
"""

import errno
import os
import random
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import obstore
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.fs import DeltaStorageHandler
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from curation.storage import is_remote, make_durable, reading_store, store_for
from curation.stored_object import StoredObject
from curation.views import LATENTS, SHARDS

Metadata = dict[str, str]
"""What a commit says about itself: run, command, recipe, code."""

TABLE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)?")

APPEND_TRIES = 5

_MISREAD = re.compile(r"[%#?\\\[\]^|\x00-\x1f\x7f\ud800-\udfff]")
"""What delta-rs takes for something else, or stumbles over, in the path of a table."""

_COMMITTED = re.compile(r"_delta_log/\d{20}\.(json|checkpoint\b.*\.parquet)")


class StorageError(RuntimeError):
    """The storage refused or failed; the message names the place and what to do."""


class FencedError(StorageError):
    """Another run writes to the workspace; the message names it."""


class Workspace:
    """A local directory, or an `s3://`, `gs://` or `az://` prefix, with its tables.

    Credentials and endpoints come from the environment (`AWS_ENDPOINT_URL`, `AWS_REGION`, …).
    """

    def __init__(self, uri: str | Path) -> None:
        text = str(uri).removeprefix("file://").rstrip("/")
        self.is_remote = is_remote(text)
        self.uri = text if self.is_remote else str(Path(text).absolute())
        if misread := _MISREAD.search(self.uri):
            # delta-rs would take `%20` for a space, and write beside the directory it lists; of
            # what follows a `?` it sees neither the history nor the settings.
            raise ValueError(f"a workspace cannot have {misread[0]!r} in its path: {self.uri!r}")

    def table(self, name: str) -> "Table":
        """The table of this name, such as `clips` or `shards/256p`; it need not exist yet."""
        return Table(self, name)

    def store(self, name: str = "") -> ObjectStore:
        """The objects below `<workspace>/<name>`, to write some; a missing folder is made."""
        uri = f"{self.uri}/{name}".rstrip("/")
        with storage_errors(uri):
            return store_for(uri)

    def reading_store(self, name: str = "") -> ObjectStore:
        """The objects below `<workspace>/<name>`, to read; a missing folder is empty."""
        uri = f"{self.uri}/{name}".rstrip("/")
        with storage_errors(uri):
            return reading_store(uri)


class Table:
    """One Delta table of a workspace: for readers, and for derived tables that are replaced."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        if not TABLE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no table name: use small letters, digits, '_' and '-'")
        self.workspace = workspace
        self.name = name
        self.uri = f"{workspace.uri}/{name}"

    @property
    def is_plain(self) -> bool:
        """Whether the directory is also read as plain Parquet, past the Delta log: one per subset.

        The withdrawn files of such a table are removed at once.
        """
        return self.name.startswith(SHARDS)

    @property
    def is_exact(self) -> bool:
        """Whether it holds the rows of its inputs and no others, because training reads it alone.

        Other tables keep the rows of what is no longer among their inputs.
        """
        return self.name.startswith((SHARDS, LATENTS))

    def exists(self) -> bool:
        """Whether something was ever committed to it."""
        with storage_errors(self.uri):
            # `DeltaTable.is_deltatable` keeps Python's lock while it waits for the storage.
            listed = obstore.list(self.workspace.reading_store(self.name), prefix="_delta_log")
            return any(_COMMITTED.fullmatch(entry["path"]) for page in listed for entry in page)

    def delta(self, version: int | None = None) -> DeltaTable:
        """The Delta table as it is now, or as it was at a version that still has its files."""
        with storage_errors(self.uri):
            return DeltaTable(self.uri, version=version)

    def dataset(self, version: int | None = None) -> ds.Dataset:
        """The committed rows as an Arrow dataset, for DuckDB or a scan; nothing is read yet."""
        delta = self.delta(version)
        files = (
            pafs.PyFileSystem(_RemoteFiles(self))
            if self.workspace.is_remote
            else pafs.SubTreeFileSystem(self.uri, pafs.LocalFileSystem())
        )
        return delta.to_pyarrow_dataset(filesystem=files)

    def read(
        self, columns: Sequence[str] | None = None, filter: pc.Expression | None = None
    ) -> pa.Table:
        """The committed rows: all, or those that `filter` takes; of them all columns, or the named.

        The fields carry their documentation (`doc` in their metadata).
        """
        with storage_errors(self.uri):
            names = None if columns is None else [*columns]
            return self.dataset().to_table(columns=names, filter=filter)

    def replace(
        self, table: pa.Table, metadata: Metadata, predicate: Mapping[str, str] | None = None
    ) -> bool:
        """Makes `table` the content of this derived table, in one commit; False if it already is.

        Args:
            table: the new rows.
            metadata: what the commit says about itself.
            predicate: column values, such as `{"subset": "256p"}`: only those rows are replaced,
                and `table` holds only such rows.

        Raises:
            FencedError: when another run changed the table meanwhile.
            StorageError: when it cannot be written.
        """
        exists = self.exists()
        if exists and self._holds(table, predicate):
            return False
        where = " AND ".join(
            f"{name} = {quoted(value)}" for name, value in (predicate or {}).items()
        )
        with storage_errors(self.uri):
            try:
                write_deltalake(
                    self.uri,
                    table,
                    mode="overwrite",
                    predicate=where if where and exists else None,
                    schema_mode=None if where else "overwrite",
                    commit_properties=CommitProperties(custom_metadata=dict(metadata)),
                )
            except CommitFailedError as error:
                raise FencedError(f"{fence_sentence(self)}: {error}") from error
            self._make_durable(self.delta().version())
        return True

    def append(self, table: pa.Table, metadata: Metadata) -> None:
        """Adds rows to a table that nobody replaces, in one commit; others may add at the time.

        Args:
            table: the new rows.
            metadata: what the commit says about itself.

        Raises:
            FencedError: when others were faster time and again.
            StorageError: when it cannot be written.
        """
        with storage_errors(self.uri):
            before = self.delta().version() if self.exists() else -1
        for tries_left in reversed(range(APPEND_TRIES)):
            try:
                with storage_errors(self.uri):
                    write_deltalake(
                        self.uri,
                        table,
                        mode="append",
                        commit_properties=CommitProperties(custom_metadata=dict(metadata)),
                    )
                break
            except CommitFailedError as error:
                if not tries_left:
                    raise FencedError(f"{fence_sentence(self)}: {error}") from error
                time.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - so that two do not meet again
        with storage_errors(self.uri):
            self._make_durable(*range(before + 1, self.delta().version() + 1))

    def merge_files(self, metadata: Metadata) -> None:
        """Writes the rows of a table of many small files into few; the rows stay what they are.

        Raises:
            StorageError: when it cannot be written; the table is as it was.
        """
        with storage_errors(self.uri):
            before = self.delta()
            try:
                properties = CommitProperties(custom_metadata=dict(metadata))
                before.optimize.compact(commit_properties=properties)
            except CommitFailedError:
                return  # another process was faster at the same
            self._make_durable(before.version())

    def _make_durable(self, *versions: int) -> None:
        """Has the table's files and these entries of its log outlast a power cut, in that order."""
        for path in pa.table(self.delta().get_add_actions())["path"].to_pylist():
            make_durable(f"{self.uri}/{path}")
        for version in versions:
            make_durable(log_entry(self.uri, version))

    def _holds(self, table: pa.Table, predicate: Mapping[str, str] | None) -> bool:
        schema = self.dataset().schema
        if not same_columns(schema, table.schema):
            return False
        chosen = None
        for name, value in (predicate or {}).items():
            term = pc.field(name) == value
            chosen = term if chosen is None else chosen & term
        return bool(self.read(filter=chosen).equals(table))


class _RemoteFiles(DeltaStorageHandler):
    """The files of a table in an object store; other threads run while it waits for the store."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.uri)
        self._store = table.workspace.reading_store(table.name)

    def open_input_file(self, path: str) -> pa.PythonFile:
        return pa.PythonFile(StoredObject(self._store, path), mode="r")


def log_entry(table_uri: str, version: int) -> str:
    """The file of the Delta log that one commit wrote."""
    return f"{table_uri}/_delta_log/{version:020d}.json"


def same_columns(left: pa.Schema, right: pa.Schema) -> bool:
    """Whether the columns have the same names, order and types; their metadata may differ."""
    return bool(left.names == right.names and left.types == right.types)


def quoted(text: str) -> str:
    """The text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def fence_sentence(table: Table) -> str:
    """Which run committed last to the table, and what that means for this one."""
    last: dict[str, Any] = table.delta().history(1)[0]
    who = f"run {last.get('run', 'unknown')} on {last.get('host', 'an unknown host')}"
    return (
        f"{who} has written version {last['version']} of {table.uri} meanwhile, so this run stops; "
        "all that it committed before stays"
    )


@contextmanager
def storage_errors(uri: str, need_bytes: int | None = None) -> Iterator[None]:
    """Turns what the storage layers raise into a `StorageError` that names the place.

    Args:
        uri: what is read or written.
        need_bytes: how much is about to be written there, where that is known.
    """
    try:
        yield
    except (OSError, DeltaError, BaseError, pa.ArrowInvalid) as error:
        # Arrow calls a file that is cut short "invalid".
        if isinstance(error, CommitFailedError):
            raise
        _raise_storage_error(uri, need_bytes, error)


@contextmanager
def reading_file(table: Table, file: str) -> Iterator[None]:
    """Turns what the reading of one of a table's files raises into a `StorageError` that names it.

    Args:
        table: the table.
        file: of it, relative to it.
    """
    try:
        yield
    except (OSError, BaseError, pa.ArrowInvalid) as error:
        raise unreadable(table.workspace, f"{table.uri}/{file}", error) from error


def unreadable(workspace: Workspace, what: str, error: object) -> StorageError:
    """The error that rows of a workspace are missing, damaged or cannot be read."""
    said = _plain(error).rstrip(".")
    return StorageError(
        f"{what} cannot be read: {said}. `moviola verify {shlex.quote(workspace.uri)}` says more"
    )


def _plain(error: object) -> str:
    """A message on one line, without colours."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())


def _raise_storage_error(uri: str, need_bytes: int | None, error: Exception) -> NoReturn:
    need = f" ({need_bytes:,} bytes)" if need_bytes else ""
    full = f"os error {errno.ENOSPC}" in str(error) or getattr(error, "errno", 0) == errno.ENOSPC
    if not full:
        raise StorageError(f"{uri} cannot be read or written{need}: {_plain(error)}") from error
    free = os.statvfs(_nearest(Path(uri)))
    raise StorageError(
        f"no space left for writing {uri}{need}: {free.f_bavail * free.f_frsize:,} bytes are free "
        "there. What was committed is safe; make room and type the same command again"
    ) from error


def _nearest(path: Path) -> Path:
    return next(folder for folder in [path, *path.parents] if folder.exists())
