"""How measures and scores are spread over the samples of a subset, for the dataset card."""

import duckdb

from curation import tables
from curation.rules import SCORE_MEASURES
from pipelines.workspace import quoted

BLOCKS = " ▁▂▃▄▅▆▇█"

SHOWN = (
    *("fps", "motion_vmaf", "motion_vector_px", "camera_shake", "shots_per_s", "frozen_share"),
    *("sharpness", "luma_mean", "contrast", "colourfulness"),
)
"""The measures of the decode pass that are shown; of the scores, all that are numbers."""


def measure_spreads(connection: duckdb.DuckDBPyConnection, subset: str) -> list[tuple[str, ...]]:
    """For each measure and score that some sample has: name, percentiles, histogram.

    Args:
        connection: with the views of `curation.views`.
        subset: whose samples.
    """
    kept = f"(FROM shards WHERE subset = {quoted(subset)} AND status = '{tables.OK}')"
    scored = f"(FROM scores SEMI JOIN {kept} AS kept USING (clip_id))"
    found = [_spread(connection, kept, name) for name in SHOWN]
    found += [_spread(connection, scored, name) for name in SCORE_MEASURES]
    return [spread for spread in found if spread]


def _spread(
    connection: duckdb.DuckDBPyConnection, rows: str, column: str
) -> tuple[str, ...] | None:
    """Percentiles of a measure, and its histogram in 16 bins from the 1st to the 99th.

    None where no row has it.
    """
    found = f"SELECT {column}::DOUBLE AS x FROM {rows} WHERE isfinite({column})"  # noqa: S608 - ours
    (marks,) = connection.execute(
        f"SELECT quantile_cont(x, [0.01, 0.25, 0.5, 0.75, 0.99]) FROM ({found})"  # noqa: S608
    ).fetchall()[0]
    if marks is None:
        return None
    low, high = marks[0], marks[-1]
    place = f"floor((x - {low!r}) / {max(high - low, 1e-9)!r} * 16)"
    bins = connection.execute(
        f"""SELECT greatest(0, least(15, {place}))::INT, count(*)
        FROM ({found}) GROUP BY ALL"""  # noqa: S608
    ).fetchall()
    most = max(num for _, num in bins)
    heights = {place: BLOCKS[-(-num * 8 // most)] for place, num in bins}
    shape = "".join(heights.get(place, BLOCKS[0]) for place in range(16))
    return column, *(f"{mark:.3g}" for mark in marks), shape
