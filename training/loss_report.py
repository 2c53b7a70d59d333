"""What the losses of held-out samples say: the one number, and where it comes from."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import torch

from training.evaluation import LossRow
from training.floors import gaussian_floor

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of some samples at some times."""

    loss: float
    """Mean squared error of all elements at all these times."""

    standard_error: float | None
    """Of the loss, over the choice of samples; None of a single sample."""

    interval: tuple[float, float] | None
    """Where the loss of endless samples like these lies, at 95 % confidence."""

    floor_gaussian: float
    """The least loss were the latents standardised white noise, at the same times."""

    excess_gaussian: float
    """The loss above that; below 0 the model knows how latents hang together."""

    num_samples: int
    """How many samples."""


def loss_of(rows: Iterable[LossRow]) -> Loss:
    """The loss of all these rows, the same in whatever order they come.

    The error is of a ratio, that of the samples' errors to their elements (Cochran, Sampling
    Techniques, 1977, chapter 6): the times of a sample are no samples of their own, and larger
    samples weigh more.

    Raises:
        ValueError: there is no row.
    """
    errors: dict[tuple[str, str], list[float]] = defaultdict(list)
    elements: dict[tuple[str, str], int] = defaultdict(int)
    floors: list[float] = []
    seen: set[tuple[str, str, float]] = set()
    for row in rows:
        sample = (row.id, row.bucket)
        assert (*sample, row.time) not in seen, f"{sample} is twice in the rows at {row.time}"
        seen.add((*sample, row.time))
        errors[sample].append(row.squared_error)
        elements[sample] += row.num_elements
        floors.append(_floor(row.time) * row.num_elements)
    if not errors:
        raise ValueError("no held-out sample was evaluated: raise `held_out_share`")
    total = sum(elements.values())
    sums = {sample: math.fsum(parts) for sample, parts in errors.items()}
    loss = math.fsum(sums.values()) / total
    floor = math.fsum(floors) / total
    residuals = [(error - loss * elements[sample]) ** 2 for sample, error in sums.items()]
    num = len(sums)
    error = math.sqrt(num / (num - 1) * math.fsum(residuals)) / total if num > 1 else None
    interval = None if error is None else (loss - 1.96 * error, loss + 1.96 * error)
    return Loss(loss, error, interval, floor, loss - floor, num)


def grouped(rows: Iterable[LossRow], key: Callable[[LossRow], Key]) -> dict[Key, Loss]:
    """The loss of the rows that share a key, for each key."""
    groups: dict[Key, list[LossRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return {name: loss_of(group) for name, group in groups.items()}


def loss_report(rows: Sequence[LossRow]) -> dict[str, Any]:
    """All that is made of an evaluation, ready to be written as JSON.

    `loss` is the one number, as in MLPerf: the mean squared error over all elements and times; it
    stands with the other fields of `Loss`. `by_time` is a list of these with their `time`;
    `by_bucket`, `by_concept` and `by_source` name them; `by_time_and_bucket` has a list as of
    `by_time` for each bucket. Samples without a concept are under `none`.

    Args:
        rows: of `training.evaluation.evaluate`, of all ranks.

    Raises:
        ValueError: there is no row.
    """
    buckets: dict[str, list[LossRow]] = defaultdict(list)
    for row in rows:
        buckets[row.bucket].append(row)
    return {
        **_plain(loss_of(rows)),
        "by_time": _by_time(rows),
        "by_bucket": _named(grouped(rows, lambda row: row.bucket)),
        "by_time_and_bucket": {name: _by_time(buckets[name]) for name in sorted(buckets)},
        "by_concept": _named(
            grouped(rows, lambda row: "none" if row.concept is None else str(row.concept))
        ),
        "by_source": _named(grouped(rows, lambda row: row.source)),
    }


def _by_time(rows: Iterable[LossRow]) -> list[dict[str, Any]]:
    losses = grouped(rows, lambda row: row.time)
    return [{"time": time, **_plain(losses[time])} for time in sorted(losses)]


def _named(losses: dict[str, Loss]) -> dict[str, Any]:
    return {name: _plain(losses[name]) for name in sorted(losses)}


def _plain(loss: Loss) -> dict[str, Any]:
    fields = asdict(loss)
    if loss.interval is not None:
        fields["interval"] = list(loss.interval)
    return fields


def _floor(time: float) -> float:
    return float(gaussian_floor(torch.tensor(time, dtype=torch.float64)))
