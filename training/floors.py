"""What the loss cannot fall below, and what it should start at.

A loss of flow matching does not fall to zero: at a point and a time there are many pairs of data
and noise that lead there, and the best answer is the mean of their velocities. Where the data are
Gaussian, the loss that is left is known in closed form. Losses here are mean squared errors per
element. The path is that of `training.flow`; b = 1 - (1 - sigma_min) t.
"""

import torch
from torch import Tensor

from training.flow import SIGMA_MIN


def gaussian_floor(
    times: Tensor, variance: float | Tensor = 1.0, sigma_min: float = SIGMA_MIN
) -> Tensor:
    """The least loss at these times of independent normal data: variance / (t^2 variance + b^2).

    It is the variance of the velocity that is left when the point is known. For standardised
    latents it is 1 at both ends and 2 in the middle. What a model reaches below it is what it knows
    of how latents hang together, and of prompts.
    """
    return variance / (times**2 * variance + (1 - (1 - sigma_min) * times) ** 2)


def initial_loss(
    mean: float | Tensor = 0.0, variance: float | Tensor = 1.0, sigma_min: float = SIGMA_MIN
) -> float:
    """The loss to expect of a model that answers 0, as ours does before its first step.

    variance + (1 - sigma_min)^2 + mean^2: 2 for standardised latents. Another loss at step 0 says
    that latents, noise, target or reduction are not what they should be.

    Args:
        mean: of the latents, or their means by channel.
        variance: likewise.
        sigma_min: of the path.
    """
    squares = torch.as_tensor(mean, dtype=torch.float64) ** 2 + torch.as_tensor(variance)
    return float(squares.mean()) + (1 - sigma_min) ** 2
