import pytest
import torch

from training.schedules import schedule

NAMES = ["uniform", "linear-quadratic", "shifted"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 7, 10, 49, 50, 999, 1000])
def test_a_schedule_rises_from_0_to_1(name, steps):
    grid = schedule(name, steps, shift=3.0)
    assert grid.shape == (steps + 1,) and grid.dtype == torch.float64
    assert grid[0] == 0 and grid[-1] == 1
    assert bool((grid.diff() > 0).all())


@pytest.mark.parametrize("steps", [2, 3, 9, 28, 50, 64, 101])
def test_the_linear_quadratic_schedule_is_that_of_mochi(steps):
    mochi = pytest.importorskip("diffusers.pipelines.mochi.pipeline_mochi")
    sigmas = mochi.linear_quadratic_schedule(steps, 0.025)
    expected = 1 - torch.tensor([*sigmas, 0.0], dtype=torch.float64)
    grid = schedule("linear-quadratic", steps)
    torch.testing.assert_close(grid, expected, atol=1e-12, rtol=0)


def test_the_linear_quadratic_schedule_of_50_begins_as_a_thousand_steps_do():
    grid = schedule("linear-quadratic", 50)
    torch.testing.assert_close(grid[:26], torch.arange(26, dtype=torch.float64) / 1000)
    lengths = grid.diff()
    bends = lengths[25:].diff()
    torch.testing.assert_close(bends, bends[0].expand_as(bends), atol=1e-12, rtol=0)
    # No jump where they meet: half a bend more than the linear step.
    torch.testing.assert_close(lengths[25], 0.001 + bends[0] / 2, atol=1e-12, rtol=0)


def test_the_shifted_schedule_shifts_noise_levels():
    sigma = 1 - schedule("uniform", 20)
    expected = 1 - 3 * sigma / (1 + 2 * sigma)
    torch.testing.assert_close(schedule("shifted", 20, 3.0), expected, atol=1e-12, rtol=0)
    assert torch.equal(schedule("shifted", 20, 1.0), schedule("uniform", 20))


def test_the_shifted_schedule_is_that_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    uniform = schedule("uniform", 20)
    scheduler.set_timesteps(sigmas=(1 - uniform[:-1]).tolist())
    expected = 1 - scheduler.sigmas.double()
    torch.testing.assert_close(schedule("shifted", 20, 3.0), expected, atol=1e-6, rtol=0)


def test_what_is_no_schedule_is_refused():
    with pytest.raises(ValueError, match="no schedule 'quadratic': choose uniform"):
        schedule("quadratic", 10)
    with pytest.raises(ValueError, match="1 step or more, not 0"):
        schedule("uniform", 0)
