"""Flow matching on straight paths: what the model sees, what it learns, and when.

Time 0 is noise and time 1 is data. With x0 noise, x1 data and s = `SIGMA_MIN`, after section 3.1.2
of Movie Gen (arXiv 2410.13720):

    x_t = t x1 + (1 - (1 - s) t) x0        v = dx_t / dt = x1 - (1 - s) x0

and the loss is the mean of (u(x_t, t, prompt) - v)^2. Others, diffusers among them, count sigma =
1 - t and predict -v.
"""

import torch
from torch import Tensor

from training.settings import TimeSettings

SIGMA_MIN = 1e-5
"""Standard deviation of the noise that is left at time 1."""

# The float32 numbers next to 0 that the difference to 1 still shows, and next to 1.
_FIRST, _LAST = 2.0**-24, 1 - 2.0**-24


def interpolate(
    noise: Tensor, data: Tensor, times_B: Tensor, sigma_min: float = SIGMA_MIN
) -> Tensor:
    """What the model sees at time t: t data + (1 - (1 - sigma_min) t) noise.

    Args:
        noise: standard normal, `[B, ...]`.
        data: of the same shape.
        times_B: one for each sample, in [0, 1].
        sigma_min: standard deviation of the noise that is left at time 1.
    """
    times = per_sample(times_B, data)
    return times * data + (1 - (1 - sigma_min) * times) * noise


def velocity(noise: Tensor, data: Tensor, sigma_min: float = SIGMA_MIN) -> Tensor:
    """What the model should say, at every time: data - (1 - sigma_min) noise."""
    return data - (1 - sigma_min) * noise


def time_of(uniform: Tensor, settings: TimeSettings) -> Tensor:
    """The times that uniform numbers stand for, by the inverse of their distribution.

    A logit-normal time is the logistic function of a normal number and the shift is of noise
    levels sigma = 1 - t, which become shift sigma / (1 + (shift - 1) sigma): both as in Stable
    Diffusion 3 (arXiv 2403.03206).

    Args:
        uniform: in (0, 1), of any shape.
        settings: the distribution.

    Returns:
        Times in (0, 1), neither end included, float32, rising with `uniform`.
    """
    times = uniform.double()
    if settings.distribution == "logit-normal":
        times = torch.sigmoid(settings.mean + settings.std * torch.special.ndtri(times))
    return shifted(times, settings.shift).float().clamp(_FIRST, _LAST)


def shifted(times: Tensor, shift: float) -> Tensor:
    """Times whose noise level sigma = 1 - t becomes shift sigma / (1 + (shift - 1) sigma).

    Above 1 they become noisier; 1 leaves them; 0 and 1 stay where they are.
    """
    return times / (times + shift * (1 - times))


def squared_errors(predicted: Tensor, target: Tensor) -> Tensor:
    """The sum of the squared error over all elements of each sample, `[B]`, float32.

    Not their mean: sums of samples of different sizes add up to the sum of a step, which is divided
    once, by the elements of all of it.
    """
    return (predicted.float() - target.float()).square().flatten(1).sum(1)


def guided(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (arXiv 2207.12598): unconditional + scale (their difference).

    A scale of 1 is `conditional` to the last bit, 0 is `unconditional`.
    """
    return conditional + (scale - 1) * (conditional - unconditional)


def per_sample(times_B: Tensor, data: Tensor) -> Tensor:
    """The times as `[B, 1, 1, ...]`, so that they multiply whole samples of `data`."""
    assert times_B.shape == data.shape[:1], "one time for each sample"
    return times_B.view(-1, *[1] * (data.ndim - 1))
