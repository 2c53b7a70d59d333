"""The decisions on the clips of a subset: the present one, and those before that are still there.

A decision is a subset at a version of the Delta table `selection`, written `256p@3`. What it made
of each clip is held as one number a clip, in the order of the index's table `clips`, so that
decisions on a million clips are compared in milliseconds.
"""

from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs

from curation import tables
from pipelines.dashboard.board import Board
from pipelines.dashboard.index import Index
from pipelines.dashboard.recent import Recent
from pipelines.recipe_history import decided_subset
from pipelines.workspace import Table, storage_errors

KEPT = "kept"
ABSENT = "not there"
"""What became of a clip that the decision did not know."""

COMMITS = 500
"""Commits of table `selection` that are looked back."""


class Gone(Exception):
    """The files of an old version were removed from the storage."""


class Decision(NamedTuple):
    """A subset as it was decided by one commit."""

    subset: str
    version: int
    """Of table `selection`."""
    time: str
    """ISO 8601, UTC."""
    run: str
    recipe: str
    """Its hash; empty if the commit does not tell."""
    command: str
    code: str
    """Version of Moviola."""

    @property
    def name(self) -> str:
        """Such as `256p@3`."""
        return f"{self.subset}@{self.version}"


class Outcomes(NamedTuple):
    """What a decision made of the clips."""

    names: tuple[str, ...]
    """`not there`, `kept`, and the reasons of rejections."""
    codes: npt.NDArray[np.int16]
    """Place in `names` of each clip of the index, in the order of table `clips`."""
    vanished: dict[str, int]
    """Clips that table `clips` no longer has, by what became of them."""


_listed: Recent[list[Decision]] = Recent(16)
_outcomes: Recent[Outcomes] = Recent(8)


def decisions(board: Board, index: Index) -> list[Decision]:
    """All decisions that the history of table `selection` tells of, the newest first."""
    committed = index.committed.get("selection")
    if committed is None:
        return []
    table = board.workspace.table("selection")
    return _listed.take((table.uri, committed), lambda: _history(table, committed.version))


def find_decision(found: Sequence[Decision], name: str) -> Decision | None:
    """The decision that this names; None where the history does not reach back so far.

    Raises:
        ValueError: it has not the form `subset@version`, or there never was such a decision.
    """
    subset, at, version = name.rpartition("@")
    if not at or not version.isascii() or not version.isdigit():
        raise ValueError(f"{name[:100]!r} is no decision: write subset@version")
    for decision in found:
        if decision.subset == subset and decision.version == int(version):
            return decision
    if found and int(version) < found[-1].version:
        return None
    known = ", ".join(one.name for one in found[:20]) or "none"
    raise ValueError(f"there is no decision {name[:100]!r}; the latest are: {known}")


def outcomes(board: Board, index: Index, decision: Decision) -> Outcomes:
    """What a decision made of the clips that there are now.

    Raises:
        Gone: the files of that version are no longer there.
        StorageError: the storage cannot be read.
    """
    key = (clips_key(board, index), index.committed["selection"].table_id, decision)
    return _outcomes.take(key, lambda: _aligned(index, _rows(board, decision)))


def clips_key(board: Board, index: Index) -> Hashable:
    """Changes with the rows of the index's table `clips` and their order."""
    made_from = (index.committed.get(name) for name in ("clips", "videos", "scores"))
    return (board.folder, *made_from)


def check_files(table: Table, version: int) -> None:
    """Makes sure that the files of an old version are still there.

    Raises:
        Gone: they are not.
        StorageError: the storage cannot be read.
    """
    dataset = table.dataset(version)
    with storage_errors(table.uri):
        for fragment in dataset.get_fragments():
            [found] = fragment.filesystem.get_file_info([fragment.path])
            if found.type == pafs.FileType.NotFound:
                raise Gone(f"version {version} of table {table.name} was vacuumed")


def utc(milliseconds: int) -> str:
    """The time of a commit as ISO 8601."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def _history(table: Table, newest: int) -> list[Decision]:
    with storage_errors(table.uri):
        commits = table.delta().history(COMMITS)
    found: dict[tuple[str, str], Decision] = {}
    for commit in commits:
        if commit["version"] <= newest and commit.get("operation") == "WRITE":
            for subset in _decided_by(table, commit):
                decision = _decision(subset, commit)
                # What a run commits of a subset in several steps is one decision, its last.
                found.setdefault((decision.run or str(decision.version), subset), decision)
    return [*found.values()]


def _decision(subset: str, commit: Mapping[str, Any]) -> Decision:
    return Decision(
        subset,
        commit["version"],
        utc(commit["timestamp"]),
        commit.get("run", ""),
        commit.get("recipe") or "",
        commit.get("command", ""),
        commit.get("code", ""),
    )


def _decided_by(table: Table, commit: Mapping[str, Any]) -> list[str]:
    subset = decided_subset(commit)
    if subset is not None:
        return [subset]
    # The whole table was replaced: only its rows tell what was decided.
    try:
        check_files(table, commit["version"])
    except Gone:
        return []
    with storage_errors(table.uri):
        names = table.dataset(commit["version"]).to_table(columns=["subset"])["subset"]
    return sorted(names.unique().to_pylist())


def _rows(board: Board, decision: Decision) -> pa.Table:
    """`clip_id` and `outcome` of each clip that was decided on."""
    table = board.workspace.table("selection")
    check_files(table, decision.version)
    with storage_errors(table.uri):
        rows = table.dataset(decision.version).to_table(
            columns=["clip_id", "status", "reason"], filter=pc.field("subset") == decision.subset
        )
    is_kept = pc.equal(rows["status"], tables.OK)
    outcome = pc.if_else(is_kept, KEPT, pc.coalesce(rows["reason"], rows["status"]))
    return pa.table({"clip_id": rows["clip_id"], "outcome": outcome})


def _aligned(index: Index, rows: pa.Table) -> Outcomes:
    counts = {one["values"]: one["counts"] for one in rows["outcome"].value_counts().to_pylist()}
    reasons = sorted((name for name in counts if name != KEPT), key=lambda name: -counts[name])
    names = (ABSENT, KEPT, *reasons)
    codes = pc.index_in(rows["outcome"], pa.array(names)).cast(pa.int16())
    with index.connection.cursor() as cursor:
        cursor.register("decided_then", rows.set_column(1, "code", codes))
        aligned = cursor.sql(
            """SELECT coalesce(d.code, 0)::SMALLINT AS code
            FROM (SELECT row_number() OVER () AS place, clip_id FROM clips) AS c
            LEFT JOIN decided_then AS d ON d.clip_id = c.clip_id ORDER BY c.place"""
        ).fetchnumpy()["code"]
        vanished = cursor.sql(
            "SELECT code, count(*) FROM decided_then ANTI JOIN clips USING (clip_id) GROUP BY code"
        ).fetchall()
        cursor.unregister("decided_then")
    return Outcomes(
        names, np.asarray(aligned, np.int16), {names[code]: num for code, num in vanished}
    )
