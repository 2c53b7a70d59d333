"""Where the steps of generation lie between noise and data."""

import torch
from torch import Tensor

from training.flow import shifted

LINEAR_END = 0.025
"""Where the first half of a linear-quadratic schedule ends: for 50 steps, those are the first 25
steps of a uniform schedule of 1000."""


def schedule(name: str, steps: int, shift: float = 1.0) -> Tensor:
    """The times between which the solver steps, rising from 0 to 1, `[steps + 1]` float64.

    Args:
        name: `uniform`, `linear-quadratic` or `shifted`.
        steps: 1 or more.
        shift: of `shifted`: above 1 steps less at the start, where it is noisy.

    Raises:
        ValueError: there is no such schedule, or no step.
    """
    if steps < 1:
        raise ValueError(f"generation takes 1 step or more, not {steps}")
    uniform = torch.arange(steps + 1, dtype=torch.float64) / steps
    if name == "uniform":
        return uniform
    if name == "shifted":
        return shifted(uniform, shift)
    if name == "linear-quadratic":
        return _linear_quadratic(steps)
    raise ValueError(f"no schedule {name!r}: choose uniform, linear-quadratic or shifted")


def _linear_quadratic(steps: int) -> Tensor:
    """Half of the steps up to `LINEAR_END`, then ever longer ones.

    Of Movie Gen (arXiv 2410.13720), in the form of Mochi and LTX-Video, where the
    first quadratic step is as long as the last linear one: with L linear and Q quadratic steps, at
    j steps after the linear ones, t = e + e j / L + (1 - e - e Q / L) (j / Q)^2, e `LINEAR_END`.
    """
    linear = steps // 2
    if linear == 0:
        return torch.tensor([0.0, 1.0], dtype=torch.float64)
    quadratic = steps - linear
    slope = LINEAR_END / linear
    after = torch.arange(1, quadratic + 1, dtype=torch.float64)
    rest = 1 - LINEAR_END - slope * quadratic
    times = torch.cat(
        [
            slope * torch.arange(linear + 1, dtype=torch.float64),
            LINEAR_END + slope * after + rest * (after / quadratic) ** 2,
        ]
    )
    times[-1] = 1.0  # which rounding may have missed
    return times
