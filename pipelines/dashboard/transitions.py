"""The clips that went from one outcome to another between two decisions: to see, and to export."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field
from starlette.responses import Response

from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.comparison import ComparisonQuery, Pair, hours_of, pair_of
from pipelines.dashboard.decisions import ABSENT, KEPT
from pipelines.dashboard.table_file import table_file

ANY_RULE = "any-rule"
"""Rejected, whatever the reason; no rule has a name with a dash."""


class CellQuery(ComparisonQuery):
    """The clips that went from one outcome to another."""

    was: str = Field(default="", max_length=200)
    """`kept`, a reason, `not there`, `any-rule`; left out, anything."""

    now: str = Field(default="", max_length=200)
    """Likewise, in `b`."""


class CellPage(CellQuery):
    """A page of them."""

    page: int = Field(default=0, ge=0, le=100_000)
    size: int = Field(default=24, ge=1, le=200)


class CellExport(CellQuery):
    """A file of them."""

    format: Literal["csv", "parquet"] = "csv"


def cell_clips(board: Board, asked: CellPage) -> dict[str, Any]:
    """A page of the clips that went from one outcome to another.

    Returns:
        `num` and `hours` of them all; `clips` as `examples.clips` gives them, with the verdict and
        reason of `b`, and `was`.
    """
    pair = pair_of(board, asked)
    places = _places(pair, asked)
    first = asked.page * asked.size
    found = _with_outcomes(
        pair,
        places[first : first + asked.size],
        "c.*, v.uris[1] AS uri",
        "clip_id, video_id, start_s, end_s, duration_s, width, height, is_image",
        "LEFT JOIN videos AS v ON v.video_id = c.video_id",
    ).to_pylist()
    for clip in found:
        clip["verdict"] = "ok" if clip["now"] == KEPT else "rejected"
        clip["reason"] = None if clip["now"] == KEPT else clip["now"]
    hours = float(hours_of(board, pair.shown)[places].sum())
    return {
        "num": len(places),
        "hours": hours,
        "clips": found,
        "page": asked.page,
        "size": asked.size,
    }


def cell_export(board: Board, asked: CellExport) -> Response:
    """The ids of those clips with both outcomes, as CSV or Parquet."""
    pair = pair_of(board, asked)
    columns = "clip_id, video_id, start_s, end_s"
    found = _with_outcomes(pair, _places(pair, asked), "c.*", columns, "")
    return table_file(found, f"clips-{pair.a.name}-{pair.b.name}", asked.format)


def _places(pair: Pair, asked: CellQuery) -> npt.NDArray[np.int64]:
    """The rows of table `clips` that a cell holds, from 0."""
    chosen_rows = (pair.before.codes != 0) | (pair.after.codes != 0)
    for side, wanted in ((pair.before, asked.was), (pair.after, asked.now)):
        if wanted == ANY_RULE:
            chosen_rows &= side.codes >= len((ABSENT, KEPT))
        elif wanted:
            # Nothing has an outcome that does not occur.
            code = side.names.index(wanted) if wanted in side.names else -1
            chosen_rows &= side.codes == code
    return np.flatnonzero(chosen_rows)


def _with_outcomes(
    pair: Pair, places: npt.NDArray[np.int64], selected: str, columns: str, joined: str
) -> pa.Table:
    """Those rows of table `clips` with `was` and `now`; the SQL is of this module."""
    sides = {"was": pair.before, "now": pair.after}
    rows = {"place": pa.array(places)}
    for name, side in sides.items():
        rows[name] = pa.DictionaryArray.from_arrays(side.codes[places], list(side.names)).cast(
            pa.string()
        )
    with pair.shown.connection.cursor() as cursor:
        cursor.register("chosen_rows", pa.table(rows))
        found = cursor.sql(
            f"""SELECT {selected}, r.was, r.now
            FROM (SELECT row_number() OVER () - 1 AS place, {columns} FROM clips) AS c
            JOIN chosen_rows AS r ON r.place = c.place {joined} ORDER BY r.place"""  # noqa: S608
        ).to_arrow_table()
        cursor.unregister("chosen_rows")
    return found.drop_columns("place") if "place" in found.column_names else found


ROUTES = [
    get("comparison/clips", cell_clips, CellPage),
    get("comparison/export", cell_export, CellExport),
]
