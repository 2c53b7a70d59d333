"""Captions of the same clips side by side, as two decisions met them."""

from typing import Any, NamedTuple

import pyarrow as pa
from pydantic import Field

from curation.views import CAPTIONS
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.comparison import ComparisonQuery, Pair, pair_of
from pipelines.dashboard.decisions import Decision, Gone, check_files, decisions, utc
from pipelines.dashboard.recent import Recent
from pipelines.workspace import Table, storage_errors

COMMITS = 2000
"""Commits of a table of captions that are looked back."""

MOST_CHANGED = 20_000
"""Changed captions that are held to be looked at; all are counted."""

_COLUMNS = ["clip_id", "caption", "model", "prompt_version", "flags"]


class CaptionsQuery(ComparisonQuery):
    """A page of changed captions of one captioner."""

    captioner: str = Field(default="", max_length=100)
    page: int = Field(default=0, ge=0, le=100_000)
    size: int = Field(default=10, ge=1, le=100)


class Changes(NamedTuple):
    """What changed between two versions of a table of captions."""

    num: dict[str, int]
    """Clips: `changed`, `same`, `gained` (a caption), `lost`."""
    rows: pa.Table
    """The changed ones, as many as are held."""


_changes: Recent[Changes] = Recent(4)


def caption_changes(board: Board, asked: CaptionsQuery) -> dict[str, Any]:
    """Captions that differ between what followed on `a` and what followed on `b`.

    Of each decision it is the table as it was when another run decided next, or as it is now.

    Returns:
        `captioners`: `captioner`, `a`, `b` (versions of its table, null where there was none),
        and of the chosen one: `captioner`, `gone` (in words), or `num` by kind and `changes`:
        `clip_id` and, for `a` and `b`, `caption`, `model`, `prompt_version`, `flags`.

    Raises:
        ValueError: there are no two decisions, or no such captioner.
    """
    pair = pair_of(board, asked)
    known = decisions(board, pair.shown)
    tables = {
        name.removeprefix(CAPTIONS): board.workspace.table(name)
        for name in pair.shown.committed
        if name.startswith(CAPTIONS)
    }
    if asked.captioner and asked.captioner not in tables:
        raise ValueError(
            f"no captioner is called {asked.captioner!r}; there are: {', '.join(tables) or 'none'}"
        )
    versions = {name: _versions(table, pair, known) for name, table in tables.items()}
    told = [{"captioner": name, "a": a, "b": b} for name, (a, b) in versions.items()]
    found: dict[str, Any] = {"captioners": told, "captioner": None, "changes": [], "num": None}
    if not tables:
        return found
    differing = [name for name, (a, b) in versions.items() if a != b]
    name = asked.captioner or next(iter([*differing, *tables]))
    found["captioner"] = name
    before, after = versions[name]
    if before is None or after is None or before == after:
        return found
    table = tables[name]
    try:
        for version in (before, after):
            check_files(table, version)
    except Gone as error:
        return found | {"gone": str(error)}
    key = (table.uri, pair.shown.committed[table.name].table_id, before, after)
    made = _changes.take(key, lambda: _compared(pair, table, before, after))
    page = made.rows.slice(asked.page * asked.size, asked.size)
    return found | {"num": made.num, "held": made.rows.num_rows, "changes": page.to_pylist()}


def _versions(table: Table, pair: Pair, known: list[Decision]) -> tuple[int | None, int | None]:
    """The version of a table of captions that followed on each decision."""
    newest = pair.shown.committed[table.name].version
    found: list[int | None] = []
    with storage_errors(table.uri):
        commits = table.delta().history(COMMITS)
    for decision in (pair.a, pair.b):
        later = [one for one in known if one.version > decision.version and one.run != decision.run]
        until = min((one.time for one in later), default=None)
        before = [
            commit["version"]
            for commit in commits
            if commit["version"] <= newest
            and commit["operation"] == "WRITE"
            and (until is None or utc(commit["timestamp"]) < until)
        ]
        found.append(max(before, default=None))
    return found[0], found[1]


def _compared(pair: Pair, table: Table, before: int, after: int) -> Changes:
    sides = {}
    with storage_errors(table.uri), pair.shown.connection.cursor() as cursor:
        for side, version in (("a", before), ("b", after)):
            sides[side] = f"captions_{side}"
            cursor.register(sides[side], table.dataset(version).to_table(columns=_COLUMNS))
        told = [
            f"""struct_pack(caption := {side}.caption, model := {side}.model,
                prompt_version := {side}.prompt_version, flags := {side}.flags) AS {side}"""
            for side in sides
        ]
        joined = "captions_a AS a FULL JOIN captions_b AS b USING (clip_id)"
        [(changed, same, gained, lost)] = cursor.sql(
            f"""SELECT
                count(*) FILTER (a.caption <> b.caption), count(*) FILTER (a.caption = b.caption),
                count(*) FILTER (a.caption IS NULL AND b.caption IS NOT NULL),
                count(*) FILTER (a.caption IS NOT NULL AND b.caption IS NULL)
            FROM {joined}"""  # noqa: S608 - names are ours
        ).fetchall()
        rows = cursor.sql(
            f"""SELECT clip_id, {", ".join(told)} FROM {joined} WHERE a.caption <> b.caption
            ORDER BY clip_id LIMIT {MOST_CHANGED}"""  # noqa: S608
        ).to_arrow_table()
        for name in sides.values():
            cursor.unregister(name)
    return Changes({"changed": changed, "same": same, "gained": gained, "lost": lost}, rows)


ROUTES = [get("comparison/captions", caption_changes, CaptionsQuery)]
