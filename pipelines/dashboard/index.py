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
import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import duckdb

from curation.caption_reviews import CAPTION_VERDICTS
from curation.funnel import Outcome, Step, funnel
from curation.storage import write_whole
from pipelines.dashboard import index_parts
from pipelines.dashboard.index_parts import Committed, Part, Source
from pipelines.queries import open_views, table_names
from pipelines.workspace import Workspace, storage_errors

MEMORY = "700MB"
"""What DuckDB may use; the dashboard is to stay below 1.5 GB as a whole."""

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
) -> Index:
    """The index of these versions of the tables; parts that the folder lacks are made.

    Args:
        workspace: where the tables are.
        committed: of `committed_versions`.
        folder: for the parts of this workspace; parts of other versions are removed from it.
        on_part: told what is being made.

    Raises:
        ValueError: the tables are of an earlier Moviola.
        StorageError: the storage cannot be read, or the folder not be written.
    """
    with storage_errors(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
    made: dict[str, Path] = {}
    parts = index_parts.parts(committed)
    for part in parts:
        made[part.name] = folder / _file_name(part, committed)
    lacking = [part for part in parts if not made[part.name].exists()]
    if lacking:
        versions = {name: table.version for name, table in committed.items()}
        with open_views(workspace, versions) as views:
            for part in lacking:
                on_part(part.name)
                _make(part, index_parts.Source(workspace, committed, views, made))
    connection = _attached(made)
    on_part("the funnel")
    counted = folder / _named("funnel", dict(committed), "json")
    steps = _counted(connection, counted)
    _sweep(folder, [*made.values(), counted])
    return Index(connection, steps, dict(committed))


def _file_name(part: Part, committed: Mapping[str, Committed]) -> str:
    told = {name: table for name, table in committed.items() if name in part.tables}
    return _named(part.name, told, "duckdb")


def _named(name: str, made_of: Mapping[str, Committed], suffix: str) -> str:
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    return f"{name}-{index_parts.LAYOUT}-{digest[:16]}.{suffix}"


def _counted(connection: duckdb.DuckDBPyConnection, path: Path) -> list[Step]:
    """The funnel, from the file where it has been counted before."""
    if path.exists():
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [
            Step(**{**row, "outcomes": tuple(Outcome(**one) for one in row["outcomes"])})
            for row in rows
        ]
    with connection.cursor() as cursor:
        steps = funnel(cursor, sized=True)
    write_whole(path, json.dumps([asdict(step) for step in steps]).encode())
    return steps


def _make(part: Part, source: Source) -> None:
    """Writes one part aside and renames it, so that a killed process leaves none by halves."""
    target = source.made[part.name]
    aside = target.with_suffix(f".{secrets.token_hex(4)}.part")
    with storage_errors(str(aside)):
        aside.unlink(missing_ok=True)
        try:
            with duckdb.connect(str(aside), config={"memory_limit": MEMORY}) as connection:
                part.fill(connection, source)
            aside.rename(target)
        except duckdb.IOException as error:
            raise OSError(str(error)) from error
        finally:
            aside.unlink(missing_ok=True)


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
    for path in folder.glob("*.part*"):
        # Of a process that was killed: one at work writes all the time.
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()


def index_folder(cache: Path, workspace: Workspace) -> Path:
    """Where the parts of a workspace's index are kept."""
    return cache / "dashboard" / hashlib.sha256(workspace.uri.encode()).hexdigest()[:16]
