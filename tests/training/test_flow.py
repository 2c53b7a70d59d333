import math

import numpy as np
import pytest
import torch

from training.flow import (
    SIGMA_MIN,
    guided,
    interpolate,
    shifted,
    squared_errors,
    time_of,
    velocity,
)
from training.randomness import normal
from training.settings import TimeSettings

NOISE = normal((3, 4, 2, 6, 5), 0, "noise")
DATA = normal((3, 4, 2, 6, 5), 0, "data") * 2 + 1


def test_time_0_is_noise_and_time_1_is_data():
    assert torch.equal(interpolate(NOISE, DATA, torch.zeros(3)), NOISE)
    assert torch.equal(interpolate(NOISE, DATA, torch.ones(3), sigma_min=0.0), DATA)
    left = interpolate(NOISE.double(), DATA.double(), torch.ones(3, dtype=torch.float64)) - DATA
    torch.testing.assert_close(left, SIGMA_MIN * NOISE.double())


def test_each_sample_is_at_its_own_time():
    times = torch.tensor([0.0, 0.25, 1.0])
    together = interpolate(NOISE, DATA, times)
    for index in range(3):
        alone = interpolate(NOISE[[index]], DATA[[index]], times[[index]])
        assert torch.equal(together[[index]], alone)


@pytest.mark.parametrize("sigma_min", [0.0, SIGMA_MIN, 0.1])
def test_the_velocity_is_the_derivative_of_the_path(sigma_min):
    noise, data = NOISE.double(), DATA.double()
    times = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    _, derivative = torch.func.jvp(
        lambda times: interpolate(noise, data, times, sigma_min),
        (times,),
        (torch.ones_like(times),),
    )
    torch.testing.assert_close(velocity(noise, data, sigma_min), derivative)


def test_the_velocity_leads_from_noise_to_data():
    """The classic mistake is its sign."""
    torch.testing.assert_close(NOISE + velocity(NOISE, DATA, 0.0), DATA)


def _of(times: torch.Tensor) -> np.ndarray:
    return np.sort(times.numpy())


UNIFORM = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000


def test_logit_normal_times_have_the_stated_distribution():
    settings = TimeSettings(distribution="logit-normal", mean=0.5, std=1.5)
    times = time_of(UNIFORM, settings)
    assert times.dtype == torch.float32
    logits = torch.logit(times.double())
    below = torch.special.ndtr((logits - 0.5) / 1.5)
    torch.testing.assert_close(below, UNIFORM, atol=1e-6, rtol=0)
    assert bool((times.diff() > 0).all())


def test_logit_normal_times_are_those_of_sampling_it():
    drawn = torch.sigmoid(normal((200_000,), 0, "logits"))
    edges = torch.linspace(0, 1, 21)
    expected = torch.histogram(drawn, edges).hist / len(drawn)
    found = torch.histogram(time_of(UNIFORM, TimeSettings()), edges).hist / len(UNIFORM)
    assert float((expected - found).abs().max()) < 0.004
    assert abs(float(time_of(UNIFORM, TimeSettings()).double().mean()) - 0.5) < 1e-6


def test_uniform_times_are_the_uniform_numbers():
    settings = TimeSettings(distribution="uniform")
    assert torch.equal(time_of(UNIFORM, settings), UNIFORM.float())


@pytest.mark.parametrize("distribution", ["uniform", "logit-normal"])
@pytest.mark.parametrize("shift", [1.0, 3.0, 12.0])
def test_times_never_reach_an_end(distribution, shift):
    settings = TimeSettings(distribution=distribution, std=4.0, shift=shift)
    ends = torch.tensor([2.0**-53, 1 - 2.0**-53], dtype=torch.float64)
    first, last = time_of(ends, settings).tolist()
    assert 0 < first < last < 1


def test_a_shift_is_of_noise_levels_and_makes_times_noisier():
    settings = TimeSettings(distribution="uniform", shift=3.0)
    sigma = 1 - UNIFORM
    expected = 1 - 3 * sigma / (1 + 2 * sigma)
    times = time_of(UNIFORM, settings)
    torch.testing.assert_close(times.double(), expected, atol=1e-7, rtol=0)
    assert bool((times < UNIFORM).all())
    torch.testing.assert_close(shifted(shifted(UNIFORM, 3.0), 1 / 3), UNIFORM)
    assert torch.equal(shifted(UNIFORM, 1.0), UNIFORM)


def test_squared_errors_are_sums_in_float32():
    predicted = (NOISE * 3).bfloat16()
    errors = squared_errors(predicted, DATA)
    assert errors.shape == (3,) and errors.dtype == torch.float32
    expected = ((predicted.double() - DATA.double()) ** 2).sum((1, 2, 3, 4))
    torch.testing.assert_close(errors.double(), expected, rtol=1e-5, atol=0)


def test_sums_of_different_sizes_make_one_mean():
    """A mean of means would weigh an image as much as a video."""
    sizes = [(2, 4, 1, 3, 3), (1, 4, 5, 3, 3)]
    pairs = [(normal(size, 0, "a", i), normal(size, 0, "b", i)) for i, size in enumerate(sizes)]
    total = sum(float(squared_errors(*pair).sum()) for pair in pairs)
    elements = sum(math.prod(size) for size in sizes)
    all_at_once = torch.cat([(a - b).flatten() for a, b in pairs]).square().mean()
    assert total / elements == pytest.approx(float(all_at_once), rel=1e-6)


def test_guidance_extrapolates_from_the_unconditional():
    torch.testing.assert_close(guided(DATA, NOISE, 7.5), NOISE + 7.5 * (DATA - NOISE))
    assert torch.equal(guided(DATA, NOISE, 1.0), DATA)
    torch.testing.assert_close(guided(DATA, NOISE, 0.0), NOISE)
