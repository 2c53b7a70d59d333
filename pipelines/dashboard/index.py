"""The index: what the dashboard asks, made from the committed tables and kept in the cache folder.

Pictures, embeddings and videos stay in the workspace, so the index of a million clips is a file of
some hundred megabytes that answers in milliseconds. It holds the tables of `curation.views` by
their names and columns, so that every query of this project runs on it as it is, and:

- `decided_<n>`: a row per clip of the n-th subset, with every measure, the verdict, and which rules
  it fails or has no measure for, as bits (see `pipelines.dashboard.judged`);
- `places`: in which Parquet file, at which row, a video's pictures or a sample lie.

Each part is a DuckDB file named by the table versions it was made from. Parts are never changed,
only made anew when a version has changed, and are attached read-only.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import duckdb

from curation.caption_reviews import CAPTION_VERDICTS
from curation.funnel import Outcome, Step, funnel
from curation.storage import write_whole
from curation.views import view_of
from pipelines.dashboard import index_parts
from pipelines.dashboard.index_parts import Committed, Part, Source
from pipelines.queries import open_views, table_names
from pipelines.workspace import StorageError, Workspace, storage_errors, unreadable

MEMORY = "700MB"
"""What DuckDB may use; the dashboard is to stay below 1.5 GB as a whole."""

ASIDE = ".part"
"""How the folder of a part that is being made ends."""

_UNREAD = re.compile(r".*the stream registered as '(\w+)' failed: (.*)", re.DOTALL)

STALE_S = 3600
"""Age of a file that no process is writing any more."""


class Index(NamedTuple):
    """An open index."""

    connection: duckdb.DuckDBPyConnection
    """In memory, with a view for each table of the attached parts; take cursors of it."""

    steps: list[Step]
    """The funnel with bytes, counted once: it joins whole tables."""

    committed: dict[str, Committed]
    """The workspace's tables that it was made from, as they were, by name."""


class Work:
    """The DuckDB connections that make an index, so that another thread can stop them."""

    def __init__(self) -> None:
        """There are none yet."""
        self._lock = threading.Lock()
        self._connections: list[duckdb.DuckDBPyConnection] = []

    @contextlib.contextmanager
    def of(self, connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
        """Has the statements of a connection stopped by `interrupt`, while the block lasts."""
        with self._lock:
            self._connections.append(connection)
        try:
            yield connection
        finally:
            with self._lock:
                self._connections.remove(connection)

    def interrupt(self) -> None:
        """Stops the statements under way, with a `duckdb.InterruptException`; not the next ones."""
        with self._lock:
            for connection in self._connections:
                connection.interrupt()


def committed_versions(workspace: Workspace) -> dict[str, Committed]:
    """The tables as they are now, by name.

    Tables are looked at against the stream: while a run commits, what is seen of a later table has
    its inputs in what is seen of the earlier ones.

    Raises:
        ValueError: this is no workspace.
        StorageError: the storage cannot be read.
    """
    found = {}
    for name in reversed(table_names(workspace)):
        delta = workspace.table(name).delta()
        found[name] = Committed(delta.version(), str(delta.metadata().id))
    return found


def open_index(
    workspace: Workspace,
    committed: Mapping[str, Committed],
    folder: Path,
    on_part: Callable[[str], None] = lambda part: None,
    work: Work | None = None,
) -> Index:
    """The index of these versions of the tables; parts that the folder lacks are made.

    Args:
        workspace: where the tables are.
        committed: of `committed_versions`.
        folder: for the parts of this workspace; parts of other versions are removed from it.
        on_part: told what is being made.
        work: by which another thread stops it.

    Raises:
        duckdb.InterruptException: it was stopped.
        ValueError: the tables are of an earlier Moviola.
        StorageError: the storage cannot be read, or the folder not be written.
    """
    with storage_errors(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
    work = work or Work()
    made: dict[str, Path] = {}
    parts = index_parts.parts(committed)
    for part in parts:
        made[part.name] = folder / _file_name(part, committed)
    lacking = [part for part in parts if not made[part.name].exists()]
    if lacking:
        versions = {name: table.version for name, table in committed.items()}
        with open_views(workspace, versions) as views, work.of(views):
            for part in lacking:
                on_part(part.name)
                _make(part, index_parts.Source(workspace, committed, views, made), work)
    connection = _attached(made)
    on_part("the funnel")
    counted = folder / _named("funnel", dict(committed), "json")
    steps = _counted(connection, counted, work)
    _sweep(folder, [*made.values(), counted])
    return Index(connection, steps, dict(committed))


def _file_name(part: Part, committed: Mapping[str, Committed]) -> str:
    told = {name: table for name, table in committed.items() if name in part.tables}
    return _named(part.name, told, "duckdb")


def _named(name: str, made_of: Mapping[str, Committed], suffix: str) -> str:
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    return f"{name}-{index_parts.LAYOUT}-{digest[:16]}.{suffix}"


def _counted(connection: duckdb.DuckDBPyConnection, path: Path, work: Work) -> list[Step]:
    """The funnel, from the file where it has been counted before."""
    if path.exists():
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [
            Step(**{**row, "outcomes": tuple(Outcome(**one) for one in row["outcomes"])})
            for row in rows
        ]
    with connection.cursor() as cursor, work.of(cursor):
        steps = funnel(cursor, sized=True)
    write_whole(path, json.dumps([asdict(step) for step in steps]).encode())
    return steps


def _make(part: Part, source: Source, work: Work) -> None:
    """Writes one part aside and renames it, so that a killed process leaves none by halves."""
    target = source.made[part.name]
    with storage_errors(str(target)):
        # A folder, because DuckDB writes a log and what does not fit into memory beside the file.
        aside = target.with_suffix(f".{secrets.token_hex(4)}{ASIDE}")
        aside.mkdir()
        try:
            file = aside / target.name
            with (
                duckdb.connect(str(file), config={"memory_limit": MEMORY}) as connection,
                work.of(connection),
            ):
                part.fill(connection, source)
            file.rename(target)
        except (duckdb.InvalidInputException, OSError) as error:
            raise _unread(error, source) or error from error
        except (duckdb.IOException, duckdb.TransactionException) as error:
            full = os.strerror(errno.ENOSPC) in str(error)
            raise OSError(errno.ENOSPC if full else errno.EIO, str(error)) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _unread(error: Exception, source: Source) -> StorageError | None:
    """What DuckDB says where a table's rows cannot be read, as an error that names the table."""
    found = _UNREAD.fullmatch(str(error))
    if found is None:
        return None
    by_view = {view_of(name): name for name in source.committed}
    table = by_view.get(found[1], "scores")
    return unreadable(source.workspace, f"{source.workspace.uri}/{table}", found[2])


def _attached(made: Mapping[str, Path]) -> duckdb.DuckDBPyConnection:
    spill = Path(tempfile.gettempdir()) / "moviola-duckdb"
    connection = duckdb.connect(
        config={"temp_directory": str(spill), "memory_limit": MEMORY, "threads": _threads()}
    )
    for name, path in made.items():
        connection.execute(f'ATTACH {index_parts.quoted_path(path)} AS "part_{name}" (READ_ONLY)')
        for table in _tables(connection, f"part_{name}"):
            connection.execute(f'CREATE VIEW "{table}" AS FROM "part_{name}"."{table}"')
    connection.execute(f"CREATE VIEW caption_verdicts AS {CAPTION_VERDICTS}")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def _tables(connection: duckdb.DuckDBPyConnection, database: str) -> Iterator[str]:
    found = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = $name", {"name": database}
    ).fetchall()
    yield from (name for (name,) in found)


def _threads() -> int:
    return max(1, min(4, os.cpu_count() or 1))


def _sweep(folder: Path, kept: Iterable[Path]) -> None:
    """Removes parts of other versions: whoever has one open reads on, as its blocks stay."""
    names = {path.name for path in kept}
    for path in [*folder.glob("*.duckdb"), *folder.glob("funnel-*.json")]:
        if path.name not in names:
            path.unlink(missing_ok=True)
    for path in folder.glob(f"*{ASIDE}*"):
        # Of a process that was killed: one at work writes all the time.
        with contextlib.suppress(FileNotFoundError):
            newest = max(one.stat().st_mtime for one in [path, *path.rglob("*")])
            if time.time() - newest <= STALE_S:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()  # as earlier versions wrote it


def index_folder(cache: Path, workspace: Workspace) -> Path:
    """Where the parts of a workspace's index are kept.

    Raises:
        ValueError: DuckDB would take the path for another.
    """
    if misread := re.search(r"[?\\]", str(cache.absolute())):
        raise ValueError(
            f"the cache folder cannot have {misread[0]!r} in its path: {cache}. "
            "MOVIOLA_CACHE names another"
        )
    return cache / "dashboard" / hashlib.sha256(workspace.uri.encode()).hexdigest()[:16]
