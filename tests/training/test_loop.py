"""The loop: exact resume, whatever stops it; what it writes; what it refuses."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training import toy
from training import checkpoint
from training.data.loader import Batch, State
from training.errors import TrainingError
from training.flow import squared_errors
from training.loop import CHECKPOINTS, StageWork, train_stage
from training.metrics import read_metrics
from training.results import ModelCard
from training.settings import TrainingRecipe
from training.signals import Stop
from training.state import TrainingState, fresh_state
from training.step import StepReport


def state(recipe: TrainingRecipe | None = None, card: ModelCard | None = None) -> TrainingState:
    settings = recipe or toy.recipe()
    model = (card or toy.card()).build()
    model.reset(settings.seed)
    return fresh_state(model, settings.stages["first"])


def trained(
    work: StageWork, at: TrainingState | None = None, stop_after: int | None = None
) -> tuple[TrainingState, list[StepReport]]:
    at, stop, reports = at or state(work.recipe), Stop(stop_after == 1), []
    try:
        for report in train_stage(work, at, stop):
            reports.append(report)
            stop.asked = report.step + 1 == stop_after
    except KeyboardInterrupt:
        assert stop_after is not None
    return at, reports


def assert_equal(one: TrainingState, other: TrainingState) -> None:
    for name, tensor in one.tensors().items():
        assert torch.equal(tensor, other.tensors()[name]), name


@pytest.mark.parametrize("stop_after", [1, 4, 7, 11])
def test_stopped_and_gone_on_with_it_is_the_undisturbed_run_bit_by_bit(
    stop_after: int, tmp_path: Path
) -> None:
    whole, reports = trained(toy.work(tmp_path / "whole"))
    _, before = trained(toy.work(tmp_path / "halved"), stop_after=stop_after)
    assert len(before) == stop_after
    halved, after = trained(toy.work(tmp_path / "halved"))
    assert_equal(whole, halved)
    for one, other in zip(reports, before + after, strict=True):
        assert (one.step, one.loss, one.grad_norm) == (other.step, other.loss, other.grad_norm)
        assert (one.batch.ids, one.batch.visits) == (other.batch.ids, other.batch.visits)
    for kind, left_out in (("evaluation", ()), ("train", ("_per_s", "_share", "mfu"))):
        lines = [
            [
                {name: value for name, value in line.items() if not name.endswith(tuple(left_out))}
                for line in read_metrics(tmp_path / name, kind)
            ]
            for name in ("whole", "halved")
        ]
        assert lines[0] == lines[1]
        assert lines[0]


KILLED = """
import os, pathlib, sys, torch
from tests.training import test_loop, toy
from training.loop import train_stage
from training.signals import stop_asked
torch.set_num_threads(int(sys.argv[3]))  # sums depend on how they are split
work = toy.work(pathlib.Path(sys.argv[1]))
with stop_asked() as stop:
    for report in train_stage(work, test_loop.state(), stop):
        if report.step == 6:
            os.kill(os.getpid(), int(sys.argv[2]))
"""


@pytest.mark.slow
def test_killed_at_a_step_it_goes_on_from_the_last_checkpoint_to_the_same_weights(
    tmp_path: Path,
) -> None:
    whole, _ = trained(toy.work(tmp_path / "whole"))
    folder = tmp_path / "killed"
    code = subprocess.run(
        [sys.executable, "-c", KILLED, folder, "9", str(torch.get_num_threads())]
    ).returncode
    assert code == -signal.SIGKILL
    killed, reports = trained(toy.work(folder))
    assert reports[0].step == 5
    assert_equal(whole, killed)
    steps = [line["step"] for line in read_metrics(folder, "train")]
    assert steps == [5, 10, 12]


@pytest.mark.slow
def test_ctrl_c_finishes_the_step_and_saves_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path, "2", str(torch.get_num_threads())],
        capture_output=True,
    )
    assert done.returncode in (-signal.SIGINT, 1)
    assert b"KeyboardInterrupt" in done.stderr
    found = checkpoint.newest(tmp_path / CHECKPOINTS)
    assert found is not None
    assert checkpoint.read_state(found)["step"] == 7


@pytest.mark.parametrize("tokens", [1, 8, 12])
def test_micro_batches_change_nothing_but_rounding(tokens: int, tmp_path: Path) -> None:
    whole, reports = trained(toy.work(tmp_path / "whole"))
    recipe = toy.recipe(data={"subset": "toy", "tokens_per_micro_batch": tokens})
    _, first = trained(toy.work(tmp_path / "parts"), stop_after=5)
    parts, second = trained(toy.work(tmp_path / "parts", recipe))
    for one, other in zip(reports, first + second, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-6)
    for name, tensor in whole.tensors().items():
        torch.testing.assert_close(tensor, parts.tensors()[name], rtol=0, atol=2e-6)


def test_of_a_truncated_checkpoint_the_one_before_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, _ = trained(toy.work(tmp_path / "whole"))
    trained(toy.work(tmp_path / "cut"), stop_after=9)
    [file] = checkpoint.folder_of(tmp_path / "cut" / CHECKPOINTS, 9).glob("*.safetensors")
    os.truncate(file, 100)
    cut, reports = trained(toy.work(tmp_path / "cut"))
    assert "step-00000009 is not whole" in caplog.text
    assert reports[0].step == 9
    assert_equal(whole, cut)


def test_broken_checkpoints_do_not_take_the_place_of_whole_ones(tmp_path: Path) -> None:
    trained(toy.work(tmp_path), stop_after=9)
    places = [checkpoint.folder_of(tmp_path / CHECKPOINTS, step) for step in (8, 9)]
    for place in places:
        (place / "state.json").unlink()
    seen = []
    for report in train_stage(toy.work(tmp_path), state(), Stop()):
        seen.append(report.step)
        assert not any(place.exists() for place in places if checkpoint.step_of(place) > seen[-1])
    assert seen[0] == 5


def test_a_stop_in_the_last_step_is_not_forgotten(tmp_path: Path) -> None:
    stop = Stop()
    with pytest.raises(KeyboardInterrupt):
        for report in train_stage(toy.work(tmp_path), state(), stop):
            stop.asked = report.step == 11
    found = checkpoint.newest(tmp_path / CHECKPOINTS)
    assert found is not None
    assert checkpoint.step_of(found) == 12
    assert trained(toy.work(tmp_path))[1] == []


def test_a_finished_stage_takes_no_step(tmp_path: Path) -> None:
    trained(toy.work(tmp_path))
    assert trained(toy.work(tmp_path))[1] == []


def test_only_the_newest_checkpoints_are_kept(tmp_path: Path) -> None:
    trained(toy.work(tmp_path))
    kept = sorted(path.name for path in (tmp_path / CHECKPOINTS).iterdir())
    assert kept == ["step-00000004", "step-00000008", "step-00000012"]


def spoiled(at_step: int, **changes: Any) -> Any:
    """Batches of which one is wrong."""

    def made(at: TrainingState) -> Generator[Batch, None, None]:
        for one in toy.batches(at):
            number = one.visits[0] + 1
            yield replace(one, **{
                name: change(getattr(one, name)) for name, change in changes.items()
            }) if number == at_step else one  # fmt: skip

    return made


def with_nan(data: torch.Tensor) -> torch.Tensor:
    spoilt = data.clone()
    spoilt[1, 0, 0, 0, 0] = torch.nan
    return spoilt


def test_a_loss_that_is_not_finite_stops_before_the_step_and_names_the_sample(
    tmp_path: Path,
) -> None:
    whole, _ = trained(toy.work(tmp_path / "whole"))
    at = state()
    with pytest.raises(
        TrainingError, match=r"step 7: the loss is not finite, from the samples 2-1\."
    ):
        trained(toy.work(tmp_path / "nan", batches=spoiled(7, data=with_nan)), at)
    assert at.step == 6
    for tensor in at.tensors().values():
        assert torch.isfinite(tensor).all()
    mended, _ = trained(toy.work(tmp_path / "nan"))
    assert_equal(whole, mended)


@pytest.mark.parametrize(
    "changes",
    [
        {"noise": lambda noise: noise * 1.5},
        {"noise": lambda noise: noise + 2},
        {"noise": torch.zeros_like},
    ],
)
def test_the_first_loss_is_checked_against_what_it_must_be(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="the loss of the first step is"):
        trained(toy.work(tmp_path, batches=spoiled(1, **changes)))


def test_a_reduction_that_is_off_by_a_tenth_is_noticed_at_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "training.step.squared_errors", lambda one, other: 1.1 * squared_errors(one, other)
    )
    with pytest.raises(TrainingError, match="reduction"):
        trained(toy.work(tmp_path))


def test_an_output_layer_that_is_not_zero_is_noticed_at_the_first_step(tmp_path: Path) -> None:
    at = state()
    with torch.no_grad():
        at.model.out.bias.fill_(0.3)
    with pytest.raises(TrainingError, match="with an output of zero it must be"):
        trained(toy.work(tmp_path), at)


def test_latents_that_are_not_standardised_are_pointed_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained(toy.work(tmp_path, batches=spoiled(1, data=lambda data: 9 * data)), stop_after=2)
    assert "have a mean square of" in caplog.text


def test_the_first_loss_of_a_right_run_is_two_for_standardised_latents(tmp_path: Path) -> None:
    _, reports = trained(toy.work(tmp_path), stop_after=2)
    assert reports[0].loss == pytest.approx(2.0, abs=0.6)


def test_the_loss_falls(tmp_path: Path) -> None:
    optimizer = {"learning_rate": 1e-2, "warmup_steps": 3}
    _, reports = trained(toy.work(tmp_path, toy.recipe(steps=150, optimizer=optimizer)))
    losses = [report.loss for report in reports]
    assert sum(losses[-30:]) < 0.85 * sum(losses[:30])


def test_lines_of_metrics_have_speed_and_share_of_the_peak(tmp_path: Path) -> None:
    trained(toy.work(tmp_path))
    [line, *_] = read_metrics(tmp_path, "train")
    assert line["mfu"] == pytest.approx(line["flops_per_s"] / 1e9)
    assert line["tokens_per_s"] > 0
    assert 0 <= line["wait_share"] <= 1


def test_without_a_known_peak_there_is_no_share_of_it(tmp_path: Path) -> None:
    trained(toy.work(tmp_path, peak_flops=None))
    assert "mfu" not in read_metrics(tmp_path, "train")[0]


def test_a_plateau_is_told_of_every_evaluation_and_survives_a_stop(tmp_path: Path) -> None:
    optimizer = {"schedule": "plateau", "plateau_patience": 1, "learning_rate": 1e-9,
                 "warmup_steps": 0}  # fmt: skip
    recipe = toy.recipe(steps=20, optimizer=optimizer)
    whole, reports = trained(toy.work(tmp_path / "whole", recipe))
    assert whole.plateau.cuts > 0
    assert reports[-1].learning_rate < reports[0].learning_rate
    trained(toy.work(tmp_path / "halved", recipe), stop_after=12)
    halved, _ = trained(toy.work(tmp_path / "halved", recipe))
    assert halved.plateau == whole.plateau


def test_batches_are_not_read_ahead_while_something_else_reads(tmp_path: Path) -> None:
    is_open = False

    def batches(at: TrainingState) -> Generator[Batch, None, None]:
        nonlocal is_open
        is_open = True
        try:
            yield from toy.batches(at)
        finally:
            is_open = False

    def held_out() -> Any:
        assert not is_open
        yield from toy.held_out()

    trained(toy.work(tmp_path, batches=batches, held_out=held_out))
    assert not is_open
    assert len(read_metrics(tmp_path, "evaluation")) == 3


def test_state_begins_at_the_first_batch() -> None:
    assert state().data == State(0, 0)
