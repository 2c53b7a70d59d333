"""What other thresholds would do: counts and hours, and what cannot be known of them.

Clips that a rule on measures rejected were never shown to the models, so whether they would pass
rules on scores is unknown, but for the seeded audit share, which was scored all the same. It gives
the estimate and its interval; without it, what is known and what is not are the bounds.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.rules import Rule
from curation.selection import SubsetSettings, on_score
from curation.subsets import DUPLICATE, RETRIEVAL
from curation.tables import MOTION_MEASURES
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import (
    IS_LATER,
    SubsetQuery,
    changed_rules,
    checked_measure,
    outcome_sql,
    reason_sql,
)
from pipelines.dashboard.judged import LATER

CONFIDENCE_Z = 1.959964
"""Of a 95 % interval."""

MOST_VALUES = 2_000_000
"""Above, a page gets every n-th value, and says so."""


_MAY_RETURN = f"""coalesce(CASE
    WHEN starts_with(verdict_reason, '{DUPLICATE}') THEN duplicate_of IN (FROM gone)
    WHEN starts_with(verdict_reason, '{RETRIEVAL}') THEN EXISTS (FROM gone) END, false)"""
"""SQL: what a clip was rejected for after the rules may be gone, as it was a kept clip."""


class MeasureQuery(SubsetQuery):
    """A measure of the clips of a subset."""

    measure: str


class Interval(NamedTuple):
    """An estimate of a share, 0 to 1, and its 95 % interval."""

    share: float
    low: float
    high: float


def wilson(passed: int, num: int) -> Interval:
    """The share that passed, with Wilson's score interval (Wilson 1927), of `num` > 0 trials."""
    share = passed / num
    weight = CONFIDENCE_Z**2 / num
    middle = (share + weight / 2) / (1 + weight)
    half = CONFIDENCE_Z * math.sqrt(share * (1 - share) / num + weight / num / 4) / (1 + weight)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def what_if(board: Board, asked: SubsetQuery) -> dict[str, Any]:
    """What the changed rules keep, lose and gain, and why the rest is rejected under them.

    Returns:
        - `before` and `after` (`num`, `hours`), `outcomes` (by `kept`, `lost`, `gained`, `unknown`:
          `num`, `hours`), `reasons` (rows `reason`, `num`, `hours`, `num_before`);
        - `known` and `most`: clips kept at least and at most, by the rules; `estimate` between them
          (`num`, `low`, `high`, `num_audited`; null without audited clips);
        - `again`: `least` and `most` clips that are kept once duplicates, retrieval and reviews are
          judged again as well, if no clip that comes back breaks up a group of duplicates;
        - `sets`: the `--set` arguments that make it so.

    Raises:
        ValueError: an unknown subset, or a change that `changed_rules` refuses.
    """
    settings, table = settings_of(board, asked.subset), board.decided(asked.subset)
    changes = changed_rules(settings, asked.rule)
    reason = reason_sql(settings, changes)
    rows = board.ask(
        f"""WITH judged AS (SELECT clip_id, duplicate_of, verdict, verdict_reason, audit, is_scored,
            duration_s, {reason} AS new_reason FROM {table}),
        gone AS (SELECT clip_id FROM judged WHERE verdict = 'ok' AND new_reason IS NOT NULL)
        SELECT outcome, reason, verdict_reason, audit AND is_scored AS audited, returns,
            count(*) AS num,
            coalesce(sum(duration_s) FILTER (isfinite(duration_s)), 0) / 3600 AS hours
        FROM (SELECT *, {outcome_sql("new_reason")} AS outcome,
            if({IS_LATER} AND new_reason IS NULL, verdict_reason, new_reason) AS reason,
            new_reason IS NULL AND ({_MAY_RETURN}) AS returns FROM judged)
        GROUP BY ALL"""  # noqa: S608 - SQL of this package, changed rules are numbers
    )
    outcomes = {
        name: _added([row for row in rows if row["outcome"] == name])
        for name in ("kept", "lost", "gained", "unknown")
    }
    known = outcomes["kept"]["num"] + outcomes["gained"]["num"]
    unknown = outcomes["unknown"]["num"]
    returning = sum(row["num"] for row in rows if row["returns"])
    unsure = outcomes["gained"]["num"] if _is_judged_later(board, asked.subset, settings) else 0
    return {
        "before": _added([row for row in rows if row["outcome"] in ("kept", "lost")]),
        "after": _added([row for row in rows if row["outcome"] in ("kept", "gained")]),
        "outcomes": outcomes,
        "reasons": _reasons(rows),
        "known": known,
        "most": known + unknown,
        "estimate": _estimate(rows, settings, changes, known, unknown),
        "again": {"least": known - unsure, "most": known + unknown + returning},
        "sets": set_arguments(asked.subset, settings, changes),
    }


def _is_judged_later(board: Board, subset: str, settings: SubsetSettings) -> bool:
    """Whether clips that the rules let pass may be rejected all the same."""
    if settings.retrieval is not None or settings.review == "required":
        return True
    [row] = board.ask("FROM subsets WHERE subset = $subset", {"subset": subset})
    return bool(row["has_duplicates"])


def values(board: Board, asked: MeasureQuery) -> dict[str, Any]:
    """The values of a measure of the clips that all other rules let pass: what a drag counts.

    Returns:
        `known` and `unknown`: float64 `[N]`, sorted, with `known_hours` and `unknown_hours`,
        float32 `[N + 1]`, the hours of the first n; `exempt` and `exempt_hours`, of images that a
        rule on motion does not judge; `every`, 1, or n where only each n-th value is there.

    Raises:
        ValueError: an unknown subset or measure.
    """
    measure = checked_measure(asked.measure)
    settings, table = settings_of(board, asked.subset), board.decided(asked.subset)
    changes = changed_rules(settings, asked.rule)
    own = {
        name: Rule(measure=measure)
        for name, rule in {**settings.rules, **changes}.items()
        if (rule.measure or name) == measure
    }
    reason = reason_sql(settings, {**changes, **own})
    found = board.arrow(
        f"""SELECT {measure}::DOUBLE AS value, duration_s, reason IS NOT NULL AS unknown, is_image
        FROM (SELECT {measure}, duration_s, is_image, {reason} AS reason FROM {table}
            WHERE NOT coalesce({IS_LATER}, false))
        WHERE reason IS NULL OR reason = 'unknown'"""  # noqa: S608 - the measure is on our list
    )
    value, hours = (
        np.asarray(found[name].to_numpy(zero_copy_only=False), np.float64)
        for name in ("value", "duration_s")
    )
    hours = np.nan_to_num(hours) / 3600
    unknown = found["unknown"].to_numpy(zero_copy_only=False).astype(bool)
    exempt = np.zeros(len(value), bool)
    if measure in MOTION_MEASURES:
        exempt = found["is_image"].to_numpy(zero_copy_only=False).astype(bool) & ~unknown
    every = max(1, math.ceil(len(value) / MOST_VALUES))
    parts: dict[str, Any] = {
        "exempt": int(exempt.sum()),
        "exempt_hours": float(hours[exempt].sum()),
        "every": every,
    }
    for name, chosen in (("known", ~unknown), ("unknown", unknown)):
        mask = chosen & ~exempt & np.isfinite(value)
        parts[name], parts[f"{name}_hours"] = _sorted(value[mask], hours[mask], every)
    return parts


def set_arguments(subset: str, settings: SubsetSettings, changes: dict[str, Rule]) -> list[str]:
    """The `--set` values that change the recipe so."""
    found = []
    for name, rule in changes.items():
        before = settings.rules.get(name, Rule())
        for bound in ("min", "max"):
            old, new = getattr(before, bound), getattr(rule, bound)
            if old != new:
                value = "null" if new is None else repr(new)
                found.append(f"subsets.{subset}.rules.{name}.{bound}={value}")
    return found


def settings_of(board: Board, subset: str) -> SubsetSettings:
    """What a subset was selected by; no rules where its recipe was not kept.

    Raises:
        ValueError: there is no such subset.
    """
    board.decided(subset)
    found = board.subsets()[subset]
    return found if found is not None else SubsetSettings()


def _sorted(
    value: npt.NDArray[np.float64], hours: npt.NDArray[np.float64], every: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    order = np.argsort(value, kind="stable")
    added = np.concatenate([[0.0], np.cumsum(hours[order])])
    if every > 1:
        order = order[every - 1 :: every]
        added = added[::every][: len(order) + 1]
    return value[order], added.astype(np.float32)


def _added(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"num": sum(row["num"] for row in rows), "hours": sum(row["hours"] for row in rows)}


def _reasons(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of what is rejected under the changes, and how many each reason rejected before."""
    before: dict[str, int] = {}
    for row in rows:
        if row["verdict_reason"]:
            name = _short(row["verdict_reason"])
            before[name] = before.get(name, 0) + row["num"]
    after: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["reason"]:
            after.setdefault(_short(row["reason"]), []).append(row)
    names = sorted({*before, *after}, key=lambda name: -before.get(name, 0))
    return [
        {"reason": name, "num_before": before.get(name, 0)} | _added(after.get(name, []))
        for name in names
    ]


def _short(reason: str) -> str:
    """A reason without its detail where what-ifs do not tell it: `bucket:fps` is `bucket`."""
    return "bucket" if reason.startswith("bucket:") else reason


def _estimate(
    rows: list[dict[str, Any]],
    settings: SubsetSettings,
    changes: dict[str, Rule],
    known: int,
    unknown: int,
) -> dict[str, Any] | None:
    """How many clips would be kept, from those of the audit share that reach the same rules."""
    if not unknown:
        return {"num": known, "low": known, "high": known, "num_audited": 0}
    late = {name for name, rule in {**settings.rules, **changes}.items() if on_score(name, rule)}
    reached = [
        row
        for row in rows
        if row["audited"]
        and row["verdict_reason"]
        # Those were shown to the models for passing the rules, not as a sample of the rejected.
        and not row["verdict_reason"].startswith(LATER)
        and not _is_late(row["verdict_reason"], late)
        and (row["reason"] is None or _is_late(row["reason"], late))
    ]
    num = sum(row["num"] for row in reached)
    if not num:
        return None
    interval = wilson(sum(row["num"] for row in reached if row["reason"] is None), num)
    counted = [round(known + unknown * share) for share in interval]
    return dict(zip(("num", "low", "high"), counted, strict=True)) | {"num_audited": num}


def _is_late(reason: str, late: set[str]) -> bool:
    return reason.partition(":")[0] in late
