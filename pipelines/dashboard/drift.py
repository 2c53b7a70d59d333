"""How the measures of the kept clips moved between two decisions."""

from typing import Any

import numpy as np
import numpy.typing as npt

from curation.rules import MEASURES, NUMBERS
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.comparison import ComparisonQuery, Pair, pair_of
from pipelines.dashboard.decisions import KEPT, clips_key
from pipelines.dashboard.recent import Recent

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

NUM_BINS = 30

Values = npt.NDArray[np.floating[Any]]

_drifts: Recent[list[dict[str, Any]]] = Recent(16)


def drift(board: Board, asked: ComparisonQuery) -> dict[str, Any]:
    """Each measure over the clips that either decision kept.

    Returns:
        `quantiles`: which those below are; `measures`, the one that moved furthest first:
        `measure`, `distance` (Kolmogorov's: the greatest difference of the two shares of clips
        below any value, 0 to 1; null where one has no value), `edges`, and for `a` and `b`: `num`
        of values, `missing`, `quantiles`, `bins` (what lies beyond the edges is in the outermost).

    Raises:
        ValueError: there are no two decisions, or the files of one are gone.
    """
    pair = pair_of(board, asked)
    found = _drifts.take((clips_key(board, pair.shown), pair.key), lambda: _measured(board, pair))
    return {"quantiles": QUANTILES, "measures": found}


def distance(before: Values, after: Values) -> float:
    """The Kolmogorov-Smirnov distance of two samples, both sorted and not empty."""
    every = np.concatenate([before, after])
    shares = (np.searchsorted(one, every, "right") / len(one) for one in (before, after))
    return float(np.abs(np.subtract(*shares)).max())


def _measured(board: Board, pair: Pair) -> list[dict[str, Any]]:
    masks = {
        "a": pair.before.codes == pair.before.names.index(KEPT),
        "b": pair.after.codes == pair.after.names.index(KEPT),
    }
    spreads = {row["measure"]: row for row in board.ask("FROM spreads", index=pair.shown)}
    found = []
    for measure in MEASURES:
        if measure in spreads and measure in NUMBERS:
            sql = f"SELECT {measure} FROM clips"  # noqa: S608 - names are ours
            values = board.arrow(sql, index=pair.shown)[measure].to_numpy()
            sides = {side: values[mask] for side, mask in masks.items()}
            found.append({"measure": measure} | _compared(sides, spreads[measure]))
    return sorted(found, key=lambda one: -(one["distance"] or 0))


def _compared(sides: dict[str, Values], spread: dict[str, Any]) -> dict[str, Any]:
    low, high = spread["low"], spread["high"]
    if not low < high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, NUM_BINS + 1)
    told: dict[str, Any] = {"edges": edges.tolist(), "distance": None}
    there = {}
    for side, values in sides.items():
        there[side] = np.sort(values[np.isfinite(values)])
        num = len(there[side])
        # Sorted values are counted by where the edges fall among them.
        inner = np.searchsorted(there[side], edges[1:-1], "left")
        bins = np.diff(inner, prepend=0, append=num)
        told[side] = {
            "num": num,
            "missing": len(values) - num,
            "quantiles": _quantiles(there[side]) if num else None,
            "bins": bins.tolist(),
        }
    if all(map(len, there.values())):
        told["distance"] = distance(there["a"], there["b"])
    return told


def _quantiles(ordered: Values) -> list[float]:
    places = np.multiply(QUANTILES, len(ordered) - 1)
    below = np.floor(places).astype(np.int64)
    above = np.minimum(below + 1, len(ordered) - 1)
    low, high = ordered[below].astype(np.float64), ordered[above].astype(np.float64)
    return [float(value) for value in low + (high - low) * (places - below)]


ROUTES = [get("comparison/drift", drift, ComparisonQuery)]
