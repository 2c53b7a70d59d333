import itertools
import math

import pytest
import torch
from torch import Tensor

from tests.training.closed_forms import gaussian_field
from training.randomness import normal
from training.schedules import schedule
from training.solvers import solve

NOISE = normal((1000, 4), 0, "noise").double()


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2)])
def test_the_error_falls_with_the_order_of_the_solver(solver, order):
    def error(steps: int) -> float:
        grid = schedule("uniform", steps)
        end = solve(lambda x, t: x * (1 + t), NOISE, grid, solver)
        return float((end - NOISE * math.exp(1.5)).abs().max())

    errors = [error(steps) for steps in (40, 80, 160)]
    ratios = [before / after for before, after in itertools.pairwise(errors)]
    assert ratios == pytest.approx([2**order] * 2, rel=0.1)


@pytest.mark.parametrize(
    ("solver", "steps", "bound"), [("euler", 80, 0.01), ("midpoint", 40, 1e-4), ("heun", 40, 2e-4)]
)
def test_noise_becomes_the_gaussian_that_the_field_is_of(solver, steps, bound):
    def field(x: Tensor, time: float) -> Tensor:
        times = torch.full((len(x),), time, dtype=x.dtype)
        return gaussian_field(x, times, 0.7, 0.5**2, sigma_min=0.0)

    found = solve(field, NOISE, schedule("uniform", steps), solver)
    assert float((found - (0.7 + 0.5 * NOISE)).square().mean().sqrt()) < bound


@pytest.mark.parametrize(
    ("solver", "expected", "rel"),
    [("euler", 1.0, 2 / 1000), ("midpoint", 1.0, 1e-6), ("heun", 1.0, 1e-6)],
)
def test_the_integral_of_3_t_squared_is_1(solver, expected, rel):
    end = solve(lambda x, t: torch.full_like(x, 3 * t**2), NOISE, schedule("uniform", 1000), solver)
    torch.testing.assert_close(end - NOISE, torch.full_like(NOISE, expected), rtol=rel, atol=0)


@pytest.mark.parametrize("solver", ["euler", "midpoint", "heun"])
@pytest.mark.parametrize("name", ["uniform", "linear-quadratic", "shifted"])
def test_a_constant_field_is_exact_along_any_grid(solver, name):
    end = solve(lambda x, t: torch.ones_like(x) * 2, NOISE, schedule(name, 7, 3.0), solver)
    torch.testing.assert_close(end, NOISE + 2)


def test_the_field_is_asked_at_the_times_of_the_grid():
    asked: list[float] = []

    def field(x: Tensor, time: float) -> Tensor:
        asked.append(time)
        return x

    grid = schedule("linear-quadratic", 4)
    solve(field, NOISE, grid, "euler")
    assert asked == grid[:-1].tolist()


@pytest.mark.parametrize("name", ["uniform", "linear-quadratic"])
def test_euler_is_that_of_diffusers_run_backwards(name):
    diffusers = pytest.importorskip("diffusers")
    weights = normal((4, 4), 0, "weights") / 2

    def field(x: Tensor, time: float) -> Tensor:
        return torch.tanh(x @ weights) * (1 + time)

    noise, grid = NOISE.float(), schedule(name, 50)
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=1.0)
    scheduler.set_timesteps(sigmas=(1 - grid[:-1]).tolist())
    x = noise
    for timestep, time in zip(scheduler.timesteps, grid[:-1].tolist(), strict=True):
        x = scheduler.step(-field(x, time), timestep, x).prev_sample
    torch.testing.assert_close(solve(field, noise, grid), x, atol=2e-6, rtol=0)


def test_what_is_no_solver_is_refused():
    with pytest.raises(ValueError, match="no solver 'rk4': choose one of euler, midpoint, heun"):
        solve(lambda x, t: x, NOISE, schedule("uniform", 2), "rk4")
