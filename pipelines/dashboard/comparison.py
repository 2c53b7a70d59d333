"""Two decisions side by side: recipes, funnels, and which clips went from where to where."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.decisions import (
    KEPT,
    Decision,
    Gone,
    Outcomes,
    clips_key,
    decisions,
    find_decision,
    outcomes,
)
from pipelines.dashboard.filters import Query
from pipelines.dashboard.index import Index
from pipelines.dashboard.recent import Recent
from pipelines.recipe_history import differences, read_recipe


class ComparisonQuery(Query):
    """Two decisions."""

    a: str = Field(default="", max_length=140)
    """`subset@version`; left out, the decision before `b`."""

    b: str = Field(default="", max_length=140)
    """`subset@version`; left out, the latest of `subset`."""

    subset: str = Field(default="", max_length=100)


class Pair(NamedTuple):
    """Two decisions and what they made of the clips of one index."""

    shown: Index
    a: Decision
    b: Decision
    before: Outcomes
    after: Outcomes

    @property
    def key(self) -> tuple[Any, ...]:
        """Names all that is compared."""
        return (self.shown.committed["selection"].table_id, self.a, self.b)


_hours: Recent[npt.NDArray[np.float64]] = Recent(2)


def chosen(board: Board, index: Index, asked: ComparisonQuery) -> dict[str, Any]:
    """The decisions that there are, and the two that are meant.

    Returns:
        `decisions`, `a` and `b`: null where there is none, or where the history no longer tells of
        it; `gone`: those of the latter kind, in words.

    Raises:
        ValueError: a decision that never was.
    """
    known = decisions(board, index)
    found: dict[str, Any] = {"decisions": known, "a": None, "b": None, "gone": {}}
    for side in ("b", "a"):
        name = getattr(asked, side)
        found[side] = find_decision(known, name) if name else _usual(known, asked, found["b"])
        if name and found[side] is None:
            found["gone"][side] = f"the history of table selection does not reach back to {name}"
    return found


def _usual(known: list[Decision], asked: ComparisonQuery, b: Decision | None) -> Decision | None:
    """Of the subset the latest; to compare with it the one before, else another subset."""
    if b is None:
        return next((one for one in known if not asked.subset or one.subset == asked.subset), None)
    earlier = (one for one in known if one.subset == b.subset and one.version < b.version)
    others = (one for one in known if one.subset != b.subset)
    return next(earlier, None) or next(others, None)


def pair_of(board: Board, asked: ComparisonQuery) -> Pair:
    """The two decisions of a query with their outcomes.

    Raises:
        ValueError: there are no two, or the files of one are gone.
    """
    index = board.index
    found = chosen(board, index, asked)
    if found["a"] is None or found["b"] is None:
        raise ValueError(
            " ".join(found["gone"].values()) or "there are no two decisions to compare"
        )
    try:
        before, after = (outcomes(board, index, found[side]) for side in ("a", "b"))
    except Gone as error:
        raise ValueError(f"{error}, so it cannot be compared any more") from error
    return Pair(index, found["a"], found["b"], before, after)


def comparison(board: Board, asked: ComparisonQuery) -> dict[str, Any]:
    """What differs between two decisions.

    Returns:
        `decisions`, `a`, `b` and `gone` (see `chosen`; the vacuumed ones too); `recipe`: `key`,
        `old`, `new` of each difference, null if a recipe was not kept; and, unless one is gone,
        `outcomes`: `name`, `a`, `b`, `a_hours`, `b_hours`; `cells`: `was`, `now`, `num`, `hours`;
        `vanished`: clips that table `clips` no longer has, by side and outcome.

    Raises:
        ValueError: a decision that never was.
    """
    index = board.index
    found = chosen(board, index, asked)
    sides: dict[str, Outcomes] = {}
    for side in ("a", "b"):
        if found[side] is not None:
            try:
                sides[side] = outcomes(board, index, found[side])
            except Gone as error:
                found["gone"][side] = str(error)
    told = found | {side: _told(found[side]) for side in ("a", "b")}
    told["decisions"] = [_told(one) for one in found["decisions"]]
    if found["a"] is None or found["b"] is None:
        return told
    recipes = [read_recipe(board.workspace, found[side].recipe) for side in ("a", "b")]
    told["recipe"] = None
    if all(recipes):
        if found["a"].subset != found["b"].subset:
            recipes = [
                _of_subset(recipe or {}, found[side].subset)
                for side, recipe in zip(("a", "b"), recipes, strict=True)
            ]
        changed = differences(*recipes)
        told["recipe"] = [{"key": key, "old": old, "new": new} for key, old, new in changed]
    if len(sides) == 2:
        before, after = sides["a"], sides["b"]
        told["cells"] = transitions(before, after, hours_of(board, index))
        told["outcomes"] = _side_by_side(told["cells"], before, after)
        told["vanished"] = {"a": before.vanished, "b": after.vanished}
    return told


def _told(decision: Decision | None) -> dict[str, Any] | None:
    return None if decision is None else {**decision._asdict(), "name": decision.name}


def transitions(
    before: Outcomes, after: Outcomes, hours: npt.NDArray[np.float64]
) -> list[dict[str, Any]]:
    """How many clips went from which outcome to which.

    Args:
        before: of `a`.
        after: of `b`, on the same clips.
        hours: of each clip.

    Returns:
        `was`, `now`, `num`, `hours` of each pair that occurs; clips that neither knew are left out.
    """
    shape = (len(before.names), len(after.names))
    joint = before.codes.astype(np.int64) * shape[1] + after.codes
    num = np.bincount(joint, minlength=shape[0] * shape[1]).reshape(shape)
    long = np.bincount(joint, weights=hours, minlength=num.size).reshape(shape)
    num[0, 0] = 0
    return [
        {
            "was": before.names[was],
            "now": after.names[now],
            "num": int(num[was, now]),
            "hours": float(long[was, now]),
        }
        for was, now in np.argwhere(num)
    ]


def _side_by_side(
    cells: list[dict[str, Any]], before: Outcomes, after: Outcomes
) -> list[dict[str, Any]]:
    names = dict.fromkeys([KEPT, *before.names[2:], *after.names[2:]])
    sides = {"a": "was", "b": "now"}
    return [
        {"name": name}
        | {side: sum(c["num"] for c in cells if c[end] == name) for side, end in sides.items()}
        | {
            f"{side}_hours": sum(c["hours"] for c in cells if c[end] == name)
            for side, end in sides.items()
        }
        for name in names
    ]


def hours_of(board: Board, index: Index) -> npt.NDArray[np.float64]:
    """Hours of each clip, in the order of table `clips`."""

    def read() -> npt.NDArray[np.float64]:
        lengths = board.arrow("SELECT duration_s FROM clips", index=index)["duration_s"]
        seconds = np.asarray(lengths.to_numpy(), np.float64)
        return np.where(np.isfinite(seconds), seconds, 0) / 3600

    return _hours.take(clips_key(board, index), read)


def _of_subset(recipe: Mapping[str, Any], subset: str) -> dict[str, Any]:
    """The recipe with one subset in the place of all, so that two of other names are compared."""
    others = {key: value for key, value in recipe.items() if key != "subsets"}
    return {**others, "subset": recipe.get("subsets", {}).get(subset, {})}


ROUTES = [
    get("comparison", comparison, ComparisonQuery),
]
