import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.training.closed_forms import (
    covariance_floor,
    finite_field,
    finite_floor,
    gaussian_field,
    mean_gaussian_floor,
)
from training.floors import gaussian_floor, initial_loss
from training.flow import SIGMA_MIN, interpolate, squared_errors, time_of, velocity
from training.randomness import initialise, normal, uniform
from training.schedules import schedule
from training.settings import TimeSettings
from training.solvers import solve

MEAN, STD = 0.7, 0.5
TIMES = [0.0, 0.3, 0.5, 0.8, 0.999]


def _loss(
    field: Callable[[Tensor, Tensor], Tensor], data: Tensor, time: float, sigma_min: float
) -> float:
    """The loss of a field by Monte-Carlo."""
    noise = normal(data.shape, 0, "noise", str(time)).to(data.dtype)
    times = torch.full((len(data),), time, dtype=data.dtype)
    predicted = field(interpolate(noise, data, times, sigma_min), times)
    return float((predicted - velocity(noise, data, sigma_min)).square().mean())


@pytest.mark.parametrize("sigma_min", [0.0, SIGMA_MIN, 0.1])
@pytest.mark.parametrize("time", TIMES)
def test_the_gaussian_field_has_the_loss_of_its_floor(time, sigma_min):
    data = MEAN + STD * normal((100_000, 2), 0, "data").double()
    found = _loss(
        lambda x, times: gaussian_field(x, times, MEAN, STD**2, sigma_min), data, time, sigma_min
    )
    floor = gaussian_floor(torch.tensor(time, dtype=torch.float64), STD**2, sigma_min)
    # The standard error of the mean of 200 000 squares of normal numbers is 0.3 %.
    assert found == pytest.approx(float(floor), rel=0.013)


@pytest.mark.parametrize("sigma_min", [0.0, 0.1])
@pytest.mark.parametrize("time", TIMES[1:])
def test_no_other_linear_field_does_better_than_the_gaussian_one(time, sigma_min):
    """The field is the least-squares line through pairs of point and velocity."""
    data = MEAN + STD * normal((200_000,), 0, "data").double()
    noise = normal(data.shape, 0, "noise").double()
    x = interpolate(noise, data, torch.full_like(data, time), sigma_min)
    line = torch.stack([torch.ones_like(x), x], 1)
    target = velocity(noise, data, sigma_min).unsqueeze(1)
    intercept, slope = torch.linalg.lstsq(line, target).solution.flatten().tolist()
    at = torch.tensor([0.0, 1.0], dtype=torch.float64)
    found = gaussian_field(at, torch.full_like(at, time), MEAN, STD**2, sigma_min)
    assert found.tolist() == pytest.approx([intercept, intercept + slope], abs=0.02)


def test_the_floor_of_standardised_latents_is_1_at_the_ends_and_2_in_the_middle():
    floors = gaussian_floor(torch.tensor([0.0, 0.5, 1.0]), sigma_min=0.0)
    assert floors.tolist() == [1.0, 2.0, 1.0]


def test_mean_floors_are_those_of_the_integrals():
    uniform_times = TimeSettings(distribution="uniform")
    assert mean_gaussian_floor(uniform_times) == pytest.approx(math.pi / 2, abs=2e-5)
    assert mean_gaussian_floor(TimeSettings()) == pytest.approx(1.7413, abs=1e-4)
    # Of 1 / (t^2 + (1 - t)^2) for times whose density is 3 / (1 + 2 t)^2, by the trapezoid rule.
    times = torch.linspace(0, 1, 10_001, dtype=torch.float64)
    density = 3 / (1 + 2 * times) ** 2
    expected = torch.trapezoid(density / (times**2 + (1 - times) ** 2), times)
    shifted_times = TimeSettings(distribution="uniform", shift=3.0)
    assert mean_gaussian_floor(shifted_times) == pytest.approx(float(expected), abs=1e-4)


COVARIANCE = torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=torch.float64)


def test_the_covariance_floor_is_the_loss_of_the_best_linear_field():
    root = torch.linalg.cholesky(COVARIANCE)
    data = normal((200_000, 2), 0, "data").double() @ root.T
    for time in (0.2, 0.5, 0.9):
        noise = normal(data.shape, 0, "noise").double()
        x = interpolate(noise, data, torch.full((len(data),), time, dtype=torch.float64))
        target = velocity(noise, data)
        residual = target - x @ torch.linalg.lstsq(x, target).solution
        floor = covariance_floor(torch.tensor([time]), COVARIANCE)
        assert float(residual.square().mean()) == pytest.approx(float(floor), rel=0.01)


def test_correlated_latents_have_a_lower_floor_than_white_ones():
    times = torch.tensor([0.3, 0.5, 0.7])
    assert bool((covariance_floor(times, COVARIANCE) < gaussian_floor(times)).all())
    white = covariance_floor(times, torch.eye(2))
    torch.testing.assert_close(white.float(), gaussian_floor(times))


POINTS = normal((5, 3), 0, "points").double()


@pytest.mark.parametrize("sigma_min", [0.0, 0.1])
@pytest.mark.parametrize("time", [0.0, 0.4, 0.9])
def test_the_finite_field_is_the_mean_velocity_of_what_leads_to_a_point(time, sigma_min):
    """Bayes' rule in so many words, point by point."""
    x = normal((4, 3), 0, "x").double()
    noise_std = 1 - (1 - sigma_min) * time
    expected = torch.zeros_like(x)
    for row in range(4):
        likelihoods, velocities = [], []
        for point in POINTS:
            noise = (x[row] - time * point) / noise_std
            likelihoods.append(math.exp(-float(noise.square().sum()) / 2))
            velocities.append(point - (1 - sigma_min) * noise)
        for likelihood, answer in zip(likelihoods, velocities, strict=True):
            expected[row] += likelihood / sum(likelihoods) * answer
    found = finite_field(POINTS, x, torch.full((4,), time, dtype=torch.float64), sigma_min)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("sigma_min", [0.0, SIGMA_MIN, 0.1])
def test_the_finite_field_has_the_loss_of_its_floor(sigma_min):
    times = torch.tensor([0.0, 0.3, 0.6, 0.7])
    floors = finite_floor(POINTS, times, draws=4000, seed=1, sigma_min=sigma_min)
    data = POINTS.repeat(8000, 1)
    for time, floor in zip(times.tolist(), floors.tolist(), strict=True):
        found = _loss(
            lambda x, times: finite_field(POINTS, x, times, sigma_min), data, time, sigma_min
        )
        assert found == pytest.approx(floor, rel=0.05)


def test_the_finite_floor_of_two_points_is_that_of_quadrature():
    """For points -1 and 1, E[data | x] is tanh(t x / b^2)."""
    at = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    density = torch.exp(-(at**2) / 2) / math.sqrt(2 * math.pi)
    times = torch.tensor([0.0, 0.2, 0.5, 0.7])
    floors = finite_floor(torch.tensor([[-1.0], [1.0]]), times, draws=4000, sigma_min=0.0)
    for time, floor in zip(times.double().tolist(), floors.tolist(), strict=True):
        noise_std = 1 - time
        posterior = torch.tanh(time * (time + noise_std * at) / noise_std**2)
        expected = torch.trapezoid(density * ((1 - posterior) / noise_std) ** 2, at)
        assert floor == pytest.approx(float(expected), rel=0.05)


def test_the_floor_of_one_sample_is_zero_and_of_many_falls_to_zero():
    times = torch.tensor([0.0, 0.5, 0.99, 1.0])
    assert finite_floor(POINTS[:1], times).tolist() == [0.0] * 4
    latents = normal((6, 4, 2, 6, 10), 0, "latents")
    floors = finite_floor(latents, times)
    spread = latents.var(0, unbiased=False).mean()
    assert float(floors[0]) == pytest.approx(float(spread), rel=1e-6)
    assert floors[1:].max() < 1e-6


def test_the_finite_field_holds_in_high_dimension_next_to_the_data():
    """The likelihoods themselves would all be zero."""
    latents = normal((6, 16, 4, 16, 16), 0, "latents")
    noise = normal(latents.shape, 0, "noise")
    for time in (0.0, 0.5, 0.9999, 1.0):
        times = torch.full((6,), time)
        found = finite_field(latents, interpolate(noise, latents, times), times)
        assert found.isfinite().all() and found.dtype == torch.float32
    times = torch.full((6,), 0.5)
    found = finite_field(latents, interpolate(noise, latents, times), times)
    torch.testing.assert_close(found, velocity(noise, latents), atol=1e-4, rtol=0)


def test_generation_from_the_finite_field_gives_the_points_back():
    def field(x: Tensor, time: float) -> Tensor:
        return finite_field(POINTS, x, torch.full((len(x),), time))

    end = solve(field, normal((32, 3), 0, "start").double(), schedule("uniform", 100))
    nearest = torch.cdist(end, POINTS).min(1).values
    assert float(nearest.max()) < 1e-3


def test_the_initial_loss_is_2_for_standardised_latents():
    assert initial_loss(sigma_min=0.0) == 2.0
    assert initial_loss(MEAN, STD**2, 0.0) == pytest.approx(1.74)
    by_channel = initial_loss(torch.tensor([0.7, 0.0]), torch.tensor([0.25, 1.0]), 0.0)
    assert by_channel == pytest.approx((1.74 + 2) / 2)


@pytest.mark.parametrize("sigma_min", [0.0, SIGMA_MIN, 0.1])
def test_the_initial_loss_is_the_mean_square_of_the_velocity(sigma_min):
    noise = normal((50_000, 4), 0, "noise")
    data = MEAN + STD * normal((50_000, 4), 0, "data")
    found = float(velocity(noise, data, sigma_min).double().square().mean())
    assert found == pytest.approx(initial_loss(MEAN, STD**2, sigma_min), rel=0.01)


def test_training_reaches_the_floor_and_samples_are_of_the_data():
    """A wrong sign, target, time or reduction anywhere would leave the loss well above it."""
    mean, root = torch.tensor([0.7, -0.3]), torch.tensor([[0.5, 0.0], [0.3, 0.4]])
    covariance = root @ root.T
    network = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
    network.append(nn.Linear(64, 2))
    initialise(network, 0, lambda _, weight: 0.0 if weight.ndim == 1 else weight.shape[1] ** -0.5)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-2)
    steps, batch = 1500, 1024
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    offsets = (torch.arange(batch, dtype=torch.float64) + 0.5) / batch
    for step in range(steps):
        data = mean + normal((batch, 2), 0, "data", step) @ root.T
        noise = normal((batch, 2), 0, "noise", step)
        # Evenly spread from a random start, which leaves less noise in the gradient.
        times = time_of((offsets + uniform(0, "time", step)) % 1, TimeSettings())
        x = interpolate(noise, data, times)
        predicted = network(torch.cat([x, times.unsqueeze(1)], 1))
        loss = squared_errors(predicted, velocity(noise, data)).sum() / data.numel()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()

    @torch.no_grad()
    def field(x: Tensor, time: float) -> Tensor:
        answer: Tensor = network(torch.cat([x, torch.full((len(x), 1), time)], 1))
        return answer

    data = mean + normal((50_000, 2), 1, "data") @ root.T
    for time in (0.1, 0.3, 0.5, 0.7, 0.9):
        found = _loss(lambda x, _, time=time: field(x, time), data, time, SIGMA_MIN)
        floor = float(covariance_floor(torch.tensor(time), covariance))
        # A percent is what the noise of 100 000 squares may leave it below.
        assert 0.99 * floor < found < 1.03 * floor
    drawn = solve(field, normal((20_000, 2), 1, "start"), schedule("uniform", 20), "heun")
    torch.testing.assert_close(drawn.mean(0), mean, atol=0.03, rtol=0)
    torch.testing.assert_close(torch.cov(drawn.T), covariance, atol=0.03, rtol=0)
