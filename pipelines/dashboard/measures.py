"""The measures of a subset's clips: histograms, thresholds, and the values that a drag counts."""

from typing import Any

import pyarrow as pa
from starlette.responses import Response

from curation import tables
from curation.rules import MEASURES, SCORE_MEASURES
from curation.selection import SubsetSettings
from pipelines.dashboard.answers import arrays, get
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import (
    IS_LATER,
    SubsetQuery,
    changed_rules,
    checked_measure,
    reason_sql,
    with_changes,
)
from pipelines.dashboard.what_if import MeasureQuery, settings_of, values, what_if

NUM_BINS = 72

DOCS = {
    field.name: field.metadata[b"doc"].decode()
    for schema in (tables.VIDEOS, tables.CLIPS, tables.CLIP, tables.SCORES)
    for field in schema
}

_PLACES = {
    *("content_x", "content_y", "stream_index", "start_frame", "start_s", "end_s"),
    *("shot_start_s", "shot_end_s", "rotation_deg", "num_video_streams", "decode_failures"),
}
"""Numbers that say where a clip is; a histogram of them would only be in the way."""


def measure_list(board: Board, asked: SubsetQuery) -> dict[str, Any]:
    """Every measure that some clip has, those with a rule first, in the rules' order.

    Returns:
        `measures`: `name`, `doc`, `num` (clips that have it), `least`, `low`, `median`, `high`,
        `most` (`low` and `high` are the 0.5th and 99.5th percentile), `is_score`, `is_float32`
        (stored so, and bounds are compared so), and `rule`:
        `name`, `min`, `max`, as changed, and `was`, as it was decided; null without one. `others`:
        rules that are no bounds on a number, in words.

    Raises:
        ValueError: an unknown subset, or a wrong change.
    """
    before = settings_of(board, asked.subset)
    after = with_changes(before, changed_rules(before, asked.rule))
    ruled = {rule.measure or name: name for name, rule in after.rules.items()}
    rows = board.ask("FROM spreads")
    known = list(MEASURES)
    found = []
    for row in rows:
        measure = row.pop("measure")
        if measure in _PLACES and measure not in ruled:
            continue
        found.append(
            {"name": measure, "doc": DOCS.get(measure, ""), **row}
            | {"is_score": measure in SCORE_MEASURES}
            | {"is_float32": MEASURES[measure] == pa.float32()}
            | {"rule": _rule(before, after, ruled.get(measure))}
        )
    places = list(ruled)
    found.sort(
        key=lambda one: (
            places.index(one["name"]) if one["name"] in ruled else len(places),
            not one["is_score"],
            known.index(one["name"]),
        )
    )
    others = {name: rule.text for name, rule in after.rules.items() if rule.any_of is not None}
    return {"measures": found, "others": others}


def histogram(board: Board, asked: MeasureQuery) -> dict[str, Any]:
    """How a measure is spread over a subset's clips, by what becomes of them.

    The axis depends on the clips alone, so that it does not move while thresholds do: from the
    0.5th to the 99.5th percentile, or all where that is less than three times as wide. What lies
    outside is counted in the first and the last bin.

    Returns:
        `edges` `[B + 1]`, empty where no clip has the measure; `kept`, `here` (rejected by this
        measure's rule alone, as far as is known) and `elsewhere` (rejected by another), `[B]` each;
        `missing`: clips without the measure; `num`.

    Raises:
        ValueError: an unknown subset or measure, or a wrong change.
    """
    measure = checked_measure(asked.measure)
    settings, table = settings_of(board, asked.subset), board.decided(asked.subset)
    changes = changed_rules(settings, asked.rule)
    own = [
        name
        for name, rule in {**settings.rules, **changes}.items()
        if (rule.measure or name) == measure
    ]
    (total,) = board.ask(f"SELECT count(*) AS num FROM {table}")  # noqa: S608
    spread = board.ask("FROM spreads WHERE measure = $measure", {"measure": measure})
    if not spread:
        none: dict[str, list[float]] = {name: [] for name in ("edges", "kept", "here", "elsewhere")}
        return {**none, "missing": total["num"], "num": total["num"]}
    low, high, step = _axis(spread[0], MEASURES[measure])
    mine = ", ".join(f"'{name}'" for name in own) or "NULL"
    rows = board.ask(
        f"""SELECT least(greatest(floor((x - $low) / $step), 0), $last)::INT AS bin,
            count(*) FILTER (reason IS NULL) AS kept,
            count(*) FILTER (reason IN ({mine})) AS here, count(*) AS num
        FROM (SELECT {measure}::DOUBLE AS x,
            coalesce({reason_sql(settings, changes)}, if({IS_LATER}, verdict_reason, NULL))
                AS reason FROM {table})
        WHERE isfinite(x) GROUP BY 1 ORDER BY 1""",  # noqa: S608 - names are on our list
        {"low": low, "step": step, "last": round((high - low) / step) - 1},
    )
    num_bins = round((high - low) / step)
    bins: dict[str, list[int]] = {name: [0] * num_bins for name in ("kept", "here", "elsewhere")}
    for row in rows:
        bins["kept"][row["bin"]] = row["kept"]
        bins["here"][row["bin"]] = row["here"]
        bins["elsewhere"][row["bin"]] = row["num"] - row["kept"] - row["here"]
    counted = sum(row["num"] for row in rows)
    return {
        "edges": [low + step * index for index in range(num_bins + 1)],
        **bins,
        "missing": total["num"] - counted,
        "num": total["num"],
    }


def value_arrays(board: Board, asked: MeasureQuery) -> Response:
    """`values` as bytes; see `pipelines.dashboard.answers.arrays`."""
    found = values(board, asked)
    head = {name: found.pop(name) for name in ("exempt", "exempt_hours", "every")}
    return arrays(head, **found)


def _axis(spread: dict[str, Any], kind: pa.DataType) -> tuple[float, float, float]:
    """Where the axis begins and ends, and the width of a bin."""
    low, high = spread["low"], spread["high"]
    if spread["most"] - spread["least"] <= 3 * (high - low):
        low, high = spread["least"], spread["most"]
    if pa.types.is_integer(kind) and high - low < 3 * NUM_BINS:
        width = max(1.0, (high - low) // NUM_BINS)
        num = int((high - low) // width) + 1
        return low - width / 2, low - width / 2 + num * width, width
    if high <= low:
        room = abs(low) * 0.1 or 0.5
        low, high = low - room, high + room
    return low, high, (high - low) / NUM_BINS


def _rule(before: SubsetSettings, after: SubsetSettings, name: str | None) -> dict[str, Any] | None:
    if name is None:
        return None
    rule, old = after.rules[name], before.rules.get(name)
    was = {"min": old.min, "max": old.max} if old else None
    return {"name": name, "min": rule.min, "max": rule.max, "was": was}


ROUTES = [
    get("measures", measure_list, SubsetQuery),
    get("histogram", histogram, MeasureQuery),
    get("values", value_arrays, MeasureQuery),
    get("what-if", what_if, SubsetQuery),
]
