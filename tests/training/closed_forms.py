"""Best answers and least losses that are known in closed form, to compare with.

The path is that of `training.flow`; with k = 1 - sigma_min and b = 1 - k t, so that b + k t = 1.
"""

import torch
from torch import Tensor

from training.floors import gaussian_floor
from training.flow import SIGMA_MIN, per_sample, time_of
from training.randomness import normal
from training.settings import TimeSettings


def gaussian_field(
    x: Tensor,
    times_B: Tensor,
    mean: float | Tensor = 0.0,
    variance: float | Tensor = 1.0,
    sigma_min: float = SIGMA_MIN,
) -> Tensor:
    """The best answer where elements of the data are independent and normal.

    mean + (t variance - k b) / (t^2 variance + b^2) (x - t mean): the regression of the velocity on
    the point, which have the covariance t variance - k b.

    Args:
        x: where, `[B, ...]`.
        times_B: when, for each sample.
        mean: of the data, a number or what broadcasts against `x`.
        variance: of the data, likewise.
        sigma_min: of the path.
    """
    times = per_sample(times_B, x)
    noise = 1 - (1 - sigma_min) * times
    slope = (times * variance - (1 - sigma_min) * noise) / (times**2 * variance + noise**2)
    return mean + slope * (x - times * mean)


def covariance_floor(times: Tensor, covariance: Tensor, sigma_min: float = SIGMA_MIN) -> Tensor:
    """The least loss at these times where the data are normal with this covariance, `[D, D]`.

    Along its eigenvectors the elements are independent; the best field there is linear in x.
    """
    variances = torch.linalg.eigvalsh(covariance.double())
    floors = gaussian_floor(times.double().unsqueeze(-1), variances, sigma_min)
    return floors.mean(-1)


def mean_gaussian_floor(
    settings: TimeSettings, variance: float = 1.0, sigma_min: float = SIGMA_MIN
) -> float:
    """The mean of `gaussian_floor` over times as training draws them.

    For standardised latents pi / 2 where times are uniform, 1.7413 where they are logit-normal.
    """
    places = 4096
    uniform = (torch.arange(places, dtype=torch.float64) + 0.5) / places
    times = time_of(uniform, settings).double()
    return float(gaussian_floor(times, variance, sigma_min).mean())


def finite_field(
    points: Tensor, x: Tensor, times_B: Tensor, sigma_min: float = SIGMA_MIN
) -> Tensor:
    """The best answer where the data are these points, each as likely: (E[data | x] - k x) / b.

    E[data | x] is the mean of the points weighted by exp(-|x - t point|^2 / (2 b^2)), taken in
    float64 and by their logarithms, as all but one may be far below the least float.

    Args:
        points: the data, `[N, ...]`.
        x: where, `[B, ...]`.
        times_B: when, for each sample; below 1 unless `sigma_min` is above 0.
        sigma_min: of the path.
    """
    times_B1 = times_B.double().unsqueeze(1)
    noise_B1 = 1 - (1 - sigma_min) * times_B1
    x_BD = x.flatten(1).double()
    points_ND = points.flatten(1).double()
    expected_BD = _likelihoods(points_ND, x_BD, times_B1, noise_B1) @ points_ND
    return ((expected_BD - (1 - sigma_min) * x_BD) / noise_B1).view_as(x).to(x.dtype)


def finite_floor(
    points: Tensor, times: Tensor, draws: int = 16, seed: int = 0, sigma_min: float = SIGMA_MIN
) -> Tensor:
    """The loss of `finite_field` at each of these times, `[T]` float64.

    What a model that has learnt `points` by heart is left with, where prompts do not tell them
    apart. The mean over each point with `draws` noises, which are always the same ones.

    Args:
        points: the data, `[N, ...]`.
        times: where, `[T]`; below 1 unless `sigma_min` is above 0.
        draws: noises for each point; the standard error falls with the root of them.
        seed: of the noises.
        sigma_min: of the path.
    """
    # Around their mean, so that little is lost where squares are subtracted below.
    points_ND = points.flatten(1).double()
    points_ND = points_ND - points_ND.mean(0)
    squares_N = points_ND.square().mean(1)
    floors = torch.zeros(len(times), dtype=torch.float64)
    for draw in range(draws):
        noise_ND = normal(points_ND.shape, seed, "floor", draw).double()
        for index, time in enumerate(times.double()):
            times_N1 = time.expand(len(points_ND), 1)
            noise_N1 = 1 - (1 - sigma_min) * times_N1
            x_ND = times_N1 * points_ND + noise_N1 * noise_ND
            # The velocity is (data - k x) / b. Given x its variance is that of the data, which
            # hits rare places less by chance than the error on the point that x came from.
            weights_NN = _likelihoods(points_ND, x_ND, times_N1, noise_N1)
            means_N = (weights_NN @ points_ND).square().mean(1)
            variances_N = (weights_NN @ squares_N - means_N).clamp(min=0)
            floors[index] += (variances_N / noise_N1.squeeze(1) ** 2).mean()
    return floors / draws


def _likelihoods(points_ND: Tensor, x_BD: Tensor, times_B1: Tensor, noise_B1: Tensor) -> Tensor:
    """How likely each point is to have led to x, `[B, N]`; they add up to 1."""
    # |x - t point|^2 / 2 without |x|^2 / 2, which is the same for all points.
    distances_BN = times_B1**2 * points_ND.square().sum(1) / 2 - (times_B1 * x_BD) @ points_ND.T
    return torch.softmax(-distances_BN / noise_B1**2, 1)
