"""From one stage to the next: what goes on, and what starts anew."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training import toy
from training import checkpoint
from training.errors import TrainingError
from training.loop import CHECKPOINTS, train_stage
from training.results import read_result
from training.run_folder import RunFolder
from training.settings import TrainingRecipe
from training.signals import Stop
from training.stages import averaged_steps, finish, first_state
from training.state import TrainingState

CPU = torch.device("cpu")


def recipe(first: dict[str, Any] | None = None, **second: Any) -> TrainingRecipe:
    plain = toy.recipe(**(first or {})).model_dump(mode="json")
    plain["stages"]["second"] |= second
    return TrainingRecipe.model_validate(plain)


def after_first(folder: Path, settings: TrainingRecipe) -> tuple[RunFolder, TrainingState]:
    """The run with its first stage done, and the state at its end."""
    run = RunFolder(folder)
    state, is_fresh = first_state(run, settings, "first", toy.card(), CPU)
    assert is_fresh
    for _ in train_stage(toy.work(run.stage("first"), settings), state, Stop()):
        pass
    finish(run, settings, "first", toy.card())
    return run, state


def weights(state: TrainingState) -> dict[str, torch.Tensor]:
    return {name: one.detach() for name, one in state.model.named_parameters()}


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_a_stage_starts_from_the_average_of_the_one_before(tmp_path: Path) -> None:
    settings = recipe()
    run, before = after_first(tmp_path, settings)
    state, is_fresh = first_state(run, settings, "second", toy.card(), CPU)
    assert not is_fresh
    assert_equal(weights(state), before.ema.averages)
    assert_equal(state.ema.averages, before.ema.averages)
    assert (state.step, state.optimizer_steps) == (0, 0)
    assert not any(one.any() for name, one in state.tensors().items() if "exp_avg" in name)


def test_or_from_its_last_weights(tmp_path: Path) -> None:
    settings = recipe(start_from="weights")
    run, before = after_first(tmp_path, settings)
    state, _ = first_state(run, settings, "second", toy.card(), CPU)
    assert_equal(weights(state), weights(before))
    assert_equal(state.ema.averages, weights(before))


def test_moments_go_on_where_that_is_asked_for_but_for_tables_that_grew(tmp_path: Path) -> None:
    grown = {"frames": 4, "height": 3, "width": 5}
    settings = recipe(start_from="weights", carry_optimizer=True, positions=grown)
    run, before = after_first(tmp_path, settings)
    state, _ = first_state(run, settings, "second", toy.card(), CPU)
    assert state.optimizer_steps == 12
    for name, one in before.tensors().items():
        if "exp_avg" not in name:
            continue
        mine = state.tensors()[name]
        if mine.shape == one.shape:
            assert torch.equal(mine, one)
        else:
            assert "positions." in name
            assert not mine.any()
    parameter = state.model.patch.weight
    assert state.optimizer.state[parameter]["step"] == 12


def test_grown_positions_keep_what_the_old_ones_said(tmp_path: Path) -> None:
    settings = recipe(positions={"frames": 4, "height": 3, "width": 5})
    run, before = after_first(tmp_path, settings)
    state, _ = first_state(run, settings, "second", toy.card(), CPU)
    old, new = read_result(run.result("first"))[0], weights(state)
    different = {name for name in old if old[name].shape != new[name].shape}
    assert len(different) == 2
    for name in different:
        assert torch.equal(new[name][: len(old[name])], old[name])
    one = toy.batch(state.data)
    with before.ema.applied(), torch.no_grad():
        expected = before.model(one.data, one.times, one.text)
    torch.testing.assert_close(state.model(one.data, one.times, one.text), expected)


def test_the_result_can_be_the_mean_of_the_last_checkpoints(tmp_path: Path) -> None:
    settings = recipe({"average_last": 3})
    run, _ = after_first(tmp_path, settings)
    found, card = read_result(run.result("first"))
    assert card == toy.card()
    averages = []
    for step in (4, 8, 12):
        one = {f"ema.{name}": torch.zeros_like(tensor) for name, tensor in found.items()}
        checkpoint.load(checkpoint.folder_of(run.stage("first") / CHECKPOINTS, step), one)
        averages.append(one)
    for name, tensor in found.items():
        expected = torch.stack([one[f"ema.{name}"] for one in averages]).mean(0)
        torch.testing.assert_close(tensor, expected, rtol=1e-6, atol=1e-7)


def test_the_mean_is_the_same_wherever_the_stage_was_stopped(tmp_path: Path) -> None:
    settings = recipe({"average_last": 3})
    whole, _ = after_first(tmp_path / "whole", settings)
    run = RunFolder(tmp_path / "halved")
    for stop_at in (5, 11):
        state, _ = first_state(run, settings, "first", toy.card(), CPU)
        stop = Stop()
        with pytest.raises(KeyboardInterrupt):
            for report in train_stage(toy.work(run.stage("first"), settings), state, stop):
                stop.asked = report.step + 1 == stop_at
    after_first(tmp_path / "halved", settings)
    means = [read_result(one.result("first"))[0] for one in (whole, run)]
    assert_equal(*means)


def test_a_stage_that_has_diverged_leaves_no_result(tmp_path: Path) -> None:
    settings = recipe({"steps": 1, "optimizer": {"learning_rate": 1e38, "warmup_steps": 0}})
    run = RunFolder(tmp_path)
    state, _ = first_state(run, settings, "first", toy.card(), CPU)
    work = toy.work(run.stage("first"), settings, held_out=lambda: iter(()))
    for _ in train_stage(work, state, Stop()):
        pass
    with pytest.raises(TrainingError, match="first has diverged"):
        finish(run, settings, "first", toy.card())
    assert not run.result("first").exists()


def test_a_damaged_checkpoint_that_the_mean_needs_is_said(tmp_path: Path) -> None:
    settings = recipe({"average_last": 3})
    run, _ = after_first(tmp_path, settings)
    [file] = checkpoint.folder_of(run.stage("first") / CHECKPOINTS, 8).glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="step-00000008 is needed for the result of first"):
        finish(run, settings, "first", toy.card())


@pytest.mark.parametrize(
    ("steps", "every", "count", "expected"),
    [(12, 4, 3, [4, 8, 12]), (13, 4, 3, [8, 12, 13]), (3, 4, 3, [3]), (12, 4, 1, [12])],
)
def test_the_last_planned_checkpoints(
    steps: int, every: int, count: int, expected: list[int]
) -> None:
    assert averaged_steps(steps, every, count) == expected


def test_a_stage_does_not_start_before_the_one_before_is_done(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"stage first of .* is not finished"):
        first_state(RunFolder(tmp_path), recipe(), "second", toy.card(), CPU)


def test_a_result_of_other_encoders_is_refused(tmp_path: Path) -> None:
    settings = recipe()
    run, _ = after_first(tmp_path, settings)
    other = replace(toy.card(), versions=("tae:2", "words:1"))
    with pytest.raises(ValueError, match="of another autoencoder than the recipe's"):
        first_state(run, settings, "second", other, CPU)


def test_both_stages_run_one_after_the_other(tmp_path: Path) -> None:
    settings = recipe(positions={"frames": 2, "height": 3, "width": 4})
    run, _ = after_first(tmp_path, settings)
    state, is_fresh = first_state(run, settings, "second", toy.card(), CPU)
    work = toy.work(run.stage("second"), settings, name="second", begins_at_zero=is_fresh)
    assert [report.step for report in train_stage(work, state, Stop())] == [1, 2, 3, 4]
    finish(run, settings, "second", toy.card())
    assert read_result(run.result("second"))[1].positions.width == 4
