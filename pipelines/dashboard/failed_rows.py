"""The rows that did not come through a step: some, all, and where they are from."""

from typing import Any, Literal

import pyarrow as pa
from pydantic import Field
from starlette.responses import Response

from pipelines.dashboard import problems, remedies
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.examples import MOST_EXPORTED
from pipelines.dashboard.filters import Query
from pipelines.dashboard.index import Index
from pipelines.dashboard.recent import Recent
from pipelines.dashboard.table_file import table_file

MOST_GROUPS = 50

MOST_HELD = 100_000
"""Rows of a step that are held in memory, so that a search need not join its tables again."""

_held: Recent[pa.Table | None] = Recent(8)


class RowQuery(Query):
    """Rows of a step that did not come through it."""

    stage: str = Field(max_length=100)

    why: str = Field(default="", max_length=200)
    """The reason, or `waiting`."""

    source: str = Field(default="", max_length=2000)
    """As the manifest states it, else the folder."""

    licence: str = Field(default="", max_length=500)

    search: str = Field(default="", max_length=200)
    """Found in the file's name, the id or the error."""


class RowPage(RowQuery):
    """A page of them."""

    page: int = Field(default=0, ge=0, le=1_000_000)
    size: int = Field(default=20, ge=1, le=200)


class RowExport(RowQuery):
    """A file of them."""

    format: Literal["csv", "parquet"] = "csv"


def rows(board: Board, asked: RowPage) -> dict[str, Any]:
    """A page of rows.

    Returns:
        `num` of them all; `rows`: `key` (a URI, a video's or a clip's id), `video_id`, `uri`,
        `licence`, `source`, `status`, `reason`, `error`, `cpu_s`, and `reproduce` and `go_on`
        (commands, or null).

    Raises:
        ValueError: there is no such step.
    """
    index = board.index
    sized = {"size": asked.size, "skipped": asked.page * asked.size}
    page = "FROM ({}) ORDER BY key LIMIT $size OFFSET $skipped"
    found = _asked(board, index, asked, page, sized).to_pylist()
    [total] = _asked(board, index, asked, "SELECT count(*) AS num FROM ({})", {}).to_pylist()
    told = [with_commands(board, index, asked.stage, row) for row in found]
    return {"num": total["num"], "rows": told, "page": asked.page, "size": asked.size}


def export(board: Board, asked: RowExport) -> Response:
    """All those rows, as CSV or Parquet."""
    every = f"FROM ({{}}) ORDER BY key LIMIT {MOST_EXPORTED}"
    found = _asked(board, board.index, asked, every, {})
    return table_file(found, f"failures-{asked.stage.replace('/', '-')}", asked.format)


def groups(board: Board, asked: RowQuery) -> dict[str, Any]:
    """Where those rows come from.

    Returns:
        `groups`, those with most rows first: `source`, `licence` (null if unknown), `num`, and
        `num_in`: inputs of the step from there.
    """
    sql, params = problems.inputs_sql(asked.stage)
    why = ""
    if asked.why:
        why, params = f"AND {problems.WHY} = $why", params | {"why": asked.why}
    found = board.ask(
        f"""SELECT {problems.PLACE} AS source, licence, count(*) AS num_in,
            count(*) FILTER ({problems.shown_sql(asked.stage)} {why}) AS num
        FROM ({sql}) GROUP BY ALL HAVING num > 0 ORDER BY num DESC, 1, 2
        LIMIT {MOST_GROUPS}""",  # noqa: S608 - SQL of this package
        params,
    )
    return {"groups": found}


def _asked(
    board: Board, index: Index, asked: RowQuery, sql: str, sized: dict[str, Any]
) -> pa.Table:
    """What SQL of this module gives of the rows that are asked for, which go where `{}` stands."""
    inputs, fixed = problems.inputs_sql(asked.stage)
    shown = f"SELECT * FROM ({inputs}) WHERE {problems.shown_sql(asked.stage)}"  # noqa: S608

    def hold() -> pa.Table | None:
        few = board.arrow(f"{shown} LIMIT {MOST_HELD + 1}", fixed, index=index)
        return few if few.num_rows <= MOST_HELD else None

    held = _held.take((board.folder, tuple(index.committed.items()), asked.stage), hold)
    where, params = _condition(asked)
    if held is None:
        filtered = f"FROM ({shown}) WHERE {where}"
        found: pa.Table = board.arrow(
            sql.format(filtered), {**fixed, **params, **sized}, index=index
        )
        return found
    with index.connection.cursor() as cursor:
        cursor.register("rows_of_step", held)
        answer = sql.format(f"FROM rows_of_step WHERE {where}")
        found = cursor.sql(answer, params={**params, **sized}).to_arrow_table()
        cursor.unregister("rows_of_step")
    return found


def _condition(asked: RowQuery) -> tuple[str, dict[str, Any]]:
    terms, params = ["true"], dict[str, Any]()
    for name, value, column in (
        ("why", asked.why, problems.WHY),
        ("source", asked.source, problems.PLACE),
        ("licence", asked.licence, "licence"),
    ):
        if value:
            terms.append(f"{column} = ${name}")
            params[name] = value
    if asked.search:
        terms.append("contains(lower(concat_ws(' ', key, uri, error)), lower($search))")
        params["search"] = asked.search
    return " AND ".join(terms), params


def with_commands(board: Board, index: Index, stage: str, row: dict[str, Any]) -> dict[str, Any]:
    """The row with `reproduce` and `go_on`: commands, or null."""
    origin = remedies.origin_of(board, index, stage)
    told: dict[str, Any] = {**row, "reproduce": None, "go_on": None}
    if row["status"] == "waiting":
        told["go_on"] = remedies.going_on(board, origin, stage)
    elif row["reason"] != "same_content":
        # Alone, a file is the same as no other.
        told["reproduce"] = remedies.reproducing(board, origin, stage, row["uri"] or row["key"])
    return told


ROUTES = [
    get("failures/rows", rows, RowPage),
    get("failures/export", export, RowExport),
    get("failures/groups", groups, RowQuery),
]
