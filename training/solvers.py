"""From noise to data, along a field of velocities."""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

Field = Callable[[Tensor, float], Tensor]
"""The velocity at a point and a time."""


def solve(field: Field, noise: Tensor, grid: Tensor, solver: str = "euler") -> Tensor:
    """Where the noise ends up when it follows the field along the grid.

    Args:
        field: the velocity at `x` (of the noise's shape) and time `t`.
        noise: where it starts from, at the grid's first time.
        grid: rising times, `[steps + 1]`, as of `training.schedules.schedule`.
        solver: `euler` asks the field once a step, and its error falls with the steps; `midpoint`
            and `heun` ask twice, and theirs falls with the square of the steps.

    Raises:
        ValueError: there is no such solver.
    """
    if solver not in _STEPS:
        raise ValueError(f"no solver {solver!r}: choose one of {', '.join(_STEPS)}")
    step = _STEPS[solver]
    x = noise
    for start, end in pairwise(grid.tolist()):
        x = step(field, x, start, end)
    return x


def _euler(field: Field, x: Tensor, start: float, end: float) -> Tensor:
    return x + (end - start) * field(x, start)


def _midpoint(field: Field, x: Tensor, start: float, end: float) -> Tensor:
    middle = (start + end) / 2
    return x + (end - start) * field(_euler(field, x, start, middle), middle)


def _heun(field: Field, x: Tensor, start: float, end: float) -> Tensor:
    first = field(x, start)
    second = field(x + (end - start) * first, end)
    return x + (end - start) / 2 * (first + second)


_STEPS = {"euler": _euler, "midpoint": _midpoint, "heun": _heun}
