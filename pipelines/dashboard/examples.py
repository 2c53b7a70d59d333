"""Clips to look at: those of a filter, in an order, a page at a time; their ids to save."""

from typing import Any, Literal

from pydantic import Field
from starlette.responses import Response

from curation.selection import SubsetSettings
from curation.tables import CAPTION_FLAGS
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import ClipFilter, checked_measure, condition_of
from pipelines.dashboard.orders import Order, order_of
from pipelines.dashboard.table_file import table_file
from pipelines.dashboard.what_if import settings_of

MOST_EXPORTED = 5_000_000

MOST_CHOICES = 500
"""Concepts that are offered to choose from, largest first."""


class PageQuery(ClipFilter):
    """A page of clips."""

    page: int = Field(default=0, ge=0, le=100_000)
    size: int = Field(default=24, ge=1, le=200)


class ExportQuery(ClipFilter):
    """A file of clips."""

    format: Literal["csv", "parquet"] = "csv"


def clips(board: Board, asked: PageQuery) -> dict[str, Any]:
    """A page of the clips that a filter names.

    Returns:
        `num` and `hours` of the whole set; `measure` that the order goes by, or null; `clips`:
        `clip_id`, `video_id`, `start_s`, `end_s`, `duration_s`, `width`, `height`, `is_image`,
        `verdict`, `reason`, `value` (of the filter's measure, or that of the order), `uri`,
        `caption`; `page` and `size`.

    Raises:
        ValueError: an unknown subset, or a filter that `condition_of` refuses.
    """
    settings, table = settings_of(board, asked.subset), board.decided(asked.subset)
    condition, order = condition_of(asked, settings), _order(board, asked, settings)
    measure = asked.measure or order.measure
    index = board.index
    total = board.ask(
        f"""SELECT count(*) AS num,
            coalesce(sum(duration_s) FILTER (isfinite(duration_s)), 0) / 3600 AS hours
        FROM {table} WHERE {condition.sql}""",  # noqa: S608 - SQL of this package
        condition.params,
        index=index,
    )[0]
    found = board.ask(
        f"""WITH page AS (SELECT row_number() OVER () AS place, *
            FROM (SELECT clip_id, video_id, start_s, end_s, duration_s, width, height, is_image,
                verdict, verdict_reason AS reason, {measure or "NULL"}::DOUBLE AS value
            FROM {table} WHERE {condition.sql} ORDER BY {order.sql}
            LIMIT $size OFFSET $skipped))
        SELECT page.* EXCLUDE (place), v.uris[1] AS uri,
            (SELECT first(caption ORDER BY captioner) FROM captions AS t
                WHERE t.clip_id = page.clip_id) AS caption
        FROM page LEFT JOIN videos AS v ON v.video_id = page.video_id ORDER BY place""",  # noqa: S608
        condition.params | {"size": asked.size, "skipped": asked.page * asked.size},
        index=index,
    )
    return {**total, "measure": measure, "clips": found, "page": asked.page, "size": asked.size}


def choices(board: Board, asked: ClipFilter) -> dict[str, Any]:
    """What the filter could be narrowed to, each with the clips that would then be left.

    Returns:
        - `reasons`: `reason`, `num`, most first, whatever verdict, reason and outcome are asked;
        - `flags`: `flag`, `num`, `doc`, whatever flag is asked for;
        - `concepts`: `concept_id`, `name`, `num`, likewise; at most `MOST_CHOICES`;
        - `num_concepts` that there are.

    Raises:
        ValueError: an unknown subset, or a filter that `condition_of` refuses.
    """
    settings, table = settings_of(board, asked.subset), board.decided(asked.subset)
    index = board.index

    def left(sql: str, **without: tuple[()] | None) -> list[dict[str, Any]]:
        condition = condition_of(asked.model_copy(update=without), settings)
        filtered = f"(SELECT * FROM {table} WHERE {condition.sql})"  # noqa: S608 - ours
        return board.ask(sql.format(filtered=filtered), condition.params, index=index)

    concepts = left(
        """SELECT n.concept_id, name, num FROM (
            SELECT concept_id, count(*) AS num FROM {filtered} GROUP BY 1) AS n
        JOIN concepts AS c ON c.concept_id = n.concept_id ORDER BY num DESC, name""",
        concept=(),
    )
    flags = left(
        """SELECT flag, count(DISTINCT clip_id) AS num FROM (
            SELECT clip_id, unnest(flags) AS flag FROM captions WHERE len(flags) > 0)
        WHERE clip_id IN (SELECT clip_id FROM {filtered}) GROUP BY 1 ORDER BY 2 DESC, 1""",
        flag=None,
    )
    reasons = left(
        """SELECT verdict_reason AS reason, count(*) AS num FROM {filtered}
        WHERE verdict <> 'ok' GROUP BY 1 ORDER BY 2 DESC, 1""",
        verdict=None,
        reason=None,
        outcome=None,
    )
    return {
        "reasons": reasons,
        "flags": [row | {"doc": CAPTION_FLAGS.get(row["flag"], "")} for row in flags],
        "concepts": concepts[:MOST_CHOICES],
        "num_concepts": len(concepts),
    }


def export(board: Board, asked: ExportQuery) -> Response:
    """The ids of all clips of a filter, with verdict and measure, as CSV or Parquet."""
    settings, table = settings_of(board, asked.subset), board.decided(asked.subset)
    condition = condition_of(asked, settings)
    columns = "clip_id, video_id, start_s, end_s, verdict, verdict_reason AS reason"
    if asked.measure:
        columns += f", {checked_measure(asked.measure)}"
    found = board.arrow(
        f"""SELECT {columns} FROM {table} WHERE {condition.sql}
        ORDER BY {_order(board, asked, settings).sql} LIMIT {MOST_EXPORTED}""",  # noqa: S608
        condition.params,
    )
    return table_file(found, f"clips-{asked.subset}", asked.format)


def _order(board: Board, asked: ClipFilter, settings: SubsetSettings) -> Order:
    spreads = board.ask("SELECT measure, high - low AS width FROM spreads WHERE high > low")
    return order_of(asked, settings, {row["measure"]: row["width"] for row in spreads})


ROUTES = [
    get("clips", clips, PageQuery),
    get("clips/choices", choices, ClipFilter),
    get("clips/export", export, ExportQuery),
]
