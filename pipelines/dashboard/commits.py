"""What a table's Delta log says of each commit: when, by which run, how many rows came and went.

A stage's commits say nothing of their rows, so the log's entries themselves are read: each names
the files that it added, with their rows, and those that it withdrew. Entries never change, so each
is read once.
"""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import obstore
from obstore.store import ObjectStore

from pipelines.dashboard.index_parts import Committed
from pipelines.workspace import Workspace, storage_errors

MOST_COMMITS = 5_000
"""Of a table, the newest; a run that commits every few seconds makes some hundred an hour."""

READERS = 8
"""Entries read at a time, which an object store answers one by one slowly."""


class Commit(NamedTuple):
    """One entry of a table's log."""

    table: str
    version: int
    time_ms: int
    """Milliseconds since 1970 UTC, by the clock of the run's host."""
    run: str
    stage: str
    """Empty where it was no stage that wrote it, as of `selection`."""
    command: str
    host: str
    code: str
    recipe: str
    added: Mapping[str, int]
    """Rows by the file that was added."""
    removed: tuple[str, ...]
    """Files that were withdrawn."""

    @property
    def num_added(self) -> int:
        """Rows that came."""
        return sum(self.added.values())


class Commits:
    """The logs of a workspace's tables, as far as they were read."""

    def __init__(self, workspace: Workspace) -> None:
        """Nothing is read yet."""
        self._workspace = workspace
        self._known: dict[str, dict[str, dict[int, Commit | None]]] = {}
        self._lock = threading.Lock()

    def of(self, committed: Mapping[str, Committed]) -> list[Commit]:
        """The commits of these tables up to these versions, oldest first.

        Of a table with more than `MOST_COMMITS` the newest; entries that were cleaned up after
        a checkpoint are left out.

        Raises:
            StorageError: a log cannot be read.
        """
        with self._lock:
            found: list[Commit] = []
            for name, table in committed.items():
                known = self._known.setdefault(name, {}).setdefault(table.table_id, {})
                self._known[name] = {table.table_id: known}
                first = max(0, table.version + 1 - MOST_COMMITS)
                for version in [version for version in known if version < first]:
                    del known[version]
                wanted = [one for one in range(first, table.version + 1) if one not in known]
                known.update(self._read(name, wanted))
                found += [one for version, one in known.items() if one and version <= table.version]
        return sorted(found, key=lambda one: (one.time_ms, one.table, one.version))

    def _read(self, table: str, versions: Sequence[int]) -> dict[int, Commit | None]:
        if not versions:
            return {}
        store = self._workspace.reading_store(table)
        with (
            storage_errors(f"{self._workspace.uri}/{table}/_delta_log"),
            ThreadPoolExecutor(READERS) as pool,
        ):
            entries = pool.map(lambda version: _entry(store, version), versions)
            return {
                version: None if lines is None else read_commit(table, version, lines)
                for version, lines in zip(versions, entries, strict=True)
            }


@lru_cache(maxsize=4)
def _log(workspace: Workspace) -> Commits:
    return Commits(workspace)


def commits_of(workspace: Workspace, committed: Mapping[str, Committed]) -> list[Commit]:
    """`Commits.of`, with what was read of the workspace before in this process."""
    return _log(workspace).of(committed)


def read_commit(table: str, version: int, lines: Iterable[Mapping[str, Any]]) -> Commit:
    """A commit from the lines of its entry."""
    info: Mapping[str, Any] = {}
    added: dict[str, int] = {}
    removed: list[str] = []
    for line in lines:
        if "commitInfo" in line:
            info = line["commitInfo"]
        elif "add" in line:
            added[line["add"]["path"]] = _num_rows(line["add"].get("stats"))
        elif "remove" in line:
            removed.append(line["remove"]["path"])
    said = {name: str(info.get(name, "")) for name in Commit._fields[3:9]}
    time_ms = int(info.get("timestamp", 0))
    return Commit(table, version, time_ms, **said, added=added, removed=tuple(removed))


def withdrawn_rows(commits: Iterable[Commit]) -> dict[tuple[str, int], int]:
    """Rows that each commit withdrew, by table and version, as far as their adding was read."""
    rows: dict[tuple[str, str], int] = {}
    found: dict[tuple[str, int], int] = {}
    for commit in commits:
        if commit.removed:
            gone = (rows.get((commit.table, path), 0) for path in commit.removed)
            found[commit.table, commit.version] = sum(gone)
        rows.update({(commit.table, path): num for path, num in commit.added.items()})
    return found


def _num_rows(stats: str | None) -> int:
    return int(json.loads(stats).get("numRecords", 0)) if stats else 0


def _entry(store: ObjectStore, version: int) -> list[dict[str, Any]] | None:
    """The lines of an entry; None where it was cleaned up."""
    try:
        content = bytes(obstore.get(store, f"_delta_log/{version:020d}.json").bytes())
    except FileNotFoundError:
        return None
    return [json.loads(line) for line in content.splitlines() if line.strip()]
