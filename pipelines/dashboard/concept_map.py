"""The map of concepts: what a subset has of each, before and after resampling."""

from typing import Any

from curation.resampling import ResamplingSettings
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import SubsetQuery

MOST_CONCEPTS = 20_000
"""Above, the smallest are left out, and the answer says how many."""

TARGET_EXPONENT = 0.5
"""Of the target where a subset is not resampled: what Movie Gen would do."""

_SQL = """WITH own AS (
    SELECT concept_id, count(*) FILTER (verdict = 'ok') AS num,
        count(*) FILTER (verdict <> 'ok') AS num_rejected,
        coalesce(sum(weight::DOUBLE) FILTER (verdict = 'ok'), 0) AS weights
    FROM {table} WHERE concept_id IS NOT NULL GROUP BY concept_id),
every AS (
    SELECT concept_id, name, x::DOUBLE AS x, y::DOUBLE AS y, found_size,
        coalesce(num, 0) AS num, coalesce(num_rejected, 0) AS num_rejected,
        coalesce(weights, 0) AS weights, if(num > 0, num ** (1 - $exponent), 0) AS target
    FROM concepts LEFT JOIN own USING (concept_id)),
totals AS (SELECT sum(num) AS num, sum(weights) AS weights, sum(target) AS target FROM every)
SELECT e.concept_id, e.name, e.x, e.y, e.found_size, e.num, e.num_rejected,
    if(e.num > 0, e.num / t.num, NULL) AS share,
    if(e.num > 0, e.weights / t.weights, NULL) AS resampled_share,
    if(e.num > 0, e.target / t.target, NULL) AS target_share,
    if(e.num > 0, e.weights / e.num, NULL) AS weight,
    if(e.num > 0, e.target / t.target * t.num / e.num, NULL) AS target_weight
FROM every AS e CROSS JOIN totals AS t ORDER BY e.num DESC, e.concept_id"""


def concept_map(board: Board, asked: SubsetQuery) -> dict[str, Any]:
    """The concepts with their places on the map and their shares of the subset, largest first.

    Returns:
        - `is_resampled`: null where the subset's recipe was not kept; `is_weighed`: some clip has
          another weight than 1;
        - `exponent`, `budget`, `rare_floor`: of the resampling; the last two are null without it;
        - `num_clips` that the subset keeps, `num_grouped` of them that have a concept,
          `num_concepts` that it has a clip of, `num_left_out` of the list;
        - `concepts`: `concept_id`, `name`, `x`, `y` (-1 to 1), `found_size` (clips of all subsets
          when it was found), `num` that the subset keeps, `num_rejected`, and, null without clips,
          `share` of `num_grouped`, `resampled_share` of their weights, `target_share` and
          `target_weight` by the exponent alone, and `weight`, the mean of its clips.

    Raises:
        ValueError: an unknown subset.
    """
    table, settings = board.decided(asked.subset), board.subsets()[asked.subset]
    resampling = settings.resampling if settings is not None else None
    index = board.index
    shown = resampling or ResamplingSettings(exponent=TARGET_EXPONENT)
    rows = board.ask(_SQL.format(table=table), {"exponent": shown.exponent}, index=index)
    [kept] = board.ask(
        f"""SELECT count(*) AS num, count(concept_id) AS grouped,
            coalesce(max(abs(weight - 1)), 0) > 1e-6 AS is_weighed
        FROM {table} WHERE verdict = 'ok'""",  # noqa: S608 - the table is ours
        index=index,
    )
    return {
        "is_resampled": None if settings is None else resampling is not None,
        "is_weighed": kept["is_weighed"],
        "exponent": shown.exponent,
        "budget": resampling.budget if resampling else None,
        "rare_floor": resampling.rare_floor if resampling else None,
        "num_clips": kept["num"],
        "num_grouped": kept["grouped"],
        "num_concepts": sum(row["num"] > 0 for row in rows),
        "num_left_out": max(0, len(rows) - MOST_CONCEPTS),
        "concepts": rows[:MOST_CONCEPTS],
    }


ROUTES = [get("concepts", concept_map, SubsetQuery)]
