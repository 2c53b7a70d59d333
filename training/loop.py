"""The loop of one stage: steps, metrics, evaluations, samples and checkpoints, until it is done.

The same for a CPU and a GPU. What is computed is a function of the recipe and the data; stopping
and going on, at whatever step, gives the same weights bit by bit.
"""

import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training import checkpoint
from training.acceleration import autocast
from training.chart import write_chart
from training.data.loader import Batch
from training.data.prefetch import Feed
from training.evaluation import HeldOutBatch, evaluate
from training.flops import forward_flops, mfu, training_flops
from training.loss_report import loss_report
from training.metrics import Metrics
from training.results import ModelCard
from training.settings import TrainingRecipe
from training.signals import Stop
from training.state import TrainingState
from training.step import StepReport, check_initial_loss, take_step
from training.text.conditioning import TextBatch
from training.transformer import Transformer

logger = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class StageWork:
    """A stage with all that it needs."""

    name: str
    recipe: TrainingRecipe
    folder: Path

    card: ModelCard
    """What is trained."""

    batches: Callable[[TrainingState], Generator[Batch, None, None]]
    """The batches from where a state is, for ever."""

    held_out: Callable[[], Iterator[HeldOutBatch]]
    """What is evaluated on; nothing, where nothing is held out."""

    sample: Callable[[Transformer, Path], Any] | None
    """Writes videos of the recipe's prompts into a folder, and returns a picture of them."""

    begins_at_zero: bool
    """Whether the output layer is zero before the first step."""

    peak_flops: float | None
    """Of the device, for the share of it that is used; None where that is not known."""


def train_stage(
    work: StageWork, state: TrainingState, stop: Stop
) -> Generator[StepReport, None, None]:
    """Trains until the stage has its steps, and yields a report of each.

    Starts from the newest checkpoint in the stage's folder if there is one. At the end there is a
    checkpoint of the last step.

    Args:
        work: the stage.
        state: the state before its first step.
        stop: asks to stop, after the step that is at work.

    Raises:
        KeyboardInterrupt: it was stopped; a checkpoint of the last step is there.
        TrainingError: as `take_step` and `check_initial_loss`.
        CheckpointError: a checkpoint cannot be written.
    """
    work.folder.mkdir(parents=True, exist_ok=True)
    found = checkpoint.newest(work.folder / CHECKPOINTS)
    checkpoint.drop_after(work.folder / CHECKPOINTS, found)
    if found is not None:
        state.restore(found)
        logger.info("%s: going on from step %d (%s)", work.name, state.step, found)
    metrics = Metrics(work.folder, state.step)
    feed = Feed(lambda: work.batches(state))
    try:
        yield from _steps(work, state, metrics, feed, stop)
    finally:
        feed.pause()
        metrics.close()


def _steps(
    work: StageWork,
    state: TrainingState,
    metrics: Metrics,
    feed: Feed[Batch],
    stop: Stop,
) -> Generator[StepReport, None, None]:
    recipe, stage = work.recipe, work.recipe.stages[work.name]
    speed = _Speed(work, state)
    while state.step < stage.steps:
        batch = feed.next()
        for one in batch.unreadable:
            logger.warning("%s: sample %s is skipped: %s", work.name, one.id, one.reason)
        report = take_step(state, batch, stage, recipe.machine)
        if state.step == 1 and work.begins_at_zero:
            check_initial_loss(report)
        speed.saw(report)
        is_last = state.step == stage.steps
        if state.step % recipe.machine.log_every_steps == 0 or is_last:
            metrics.write("train", state.step, _line(state, report) | speed.figures())
            state.error, state.floor, state.elements = 0.0, 0.0, 0
            speed = _Speed(work, state)
        if state.step % recipe.evaluation.every_steps == 0 or is_last:
            feed.pause()
            _evaluate(work, state, metrics)
            if (chart := write_chart(work.folder)) is not None:
                metrics.image("loss", state.step, chart)
        stopping = stop.asked
        if state.step % recipe.checkpoints.every_steps == 0 or is_last or stopping:
            state.save(work.folder / CHECKPOINTS, recipe.checkpoints)
        # After the checkpoint: whatever happens while videos are made costs no step.
        if work.sample and (state.step % recipe.samples.every_steps == 0 or is_last):
            feed.pause()
            _sample(work, state, metrics)
        yield report
        if stopping:
            raise KeyboardInterrupt


def _line(state: TrainingState, report: StepReport) -> dict[str, Any]:
    """What a line of metrics says of the steps since the line before."""
    return {
        "loss": state.error / state.elements,
        "floor_gaussian": state.floor / state.elements,
        "grad_norm": report.grad_norm,
        "learning_rate": report.learning_rate,
        "epoch": state.data.epoch,
        "unreadable": state.unreadable,
    }


class _Speed:
    """Tokens, busy and waiting seconds since the last line of metrics."""

    def __init__(self, work: StageWork, state: TrainingState) -> None:
        self._card, self._peak = work.card, work.peak_flops
        self._device = next(state.model.parameters()).device
        self._tokens = self._samples = 0
        self._flops = self._busy_s = self._wait_s = 0.0

    def saw(self, report: StepReport) -> None:
        batch = report.batch
        count, tokens = len(batch.ids), batch.bucket.tokens
        self._samples += count
        self._tokens += count * tokens
        card = self._card
        text = {name: mask.shape[1] for name, mask in batch.text.masks.items()}
        forward = forward_flops(card.shape, card.latent_channels, card.text, tokens, text)
        self._flops += count * training_flops(forward)
        self._busy_s += report.busy_s
        self._wait_s += batch.wait_s

    def figures(self) -> dict[str, Any]:
        """As lines of metrics have them."""
        whole_s = max(self._busy_s + self._wait_s, 1e-9)
        figures: dict[str, Any] = {
            "tokens_per_s": self._tokens / whole_s,
            "samples_per_s": self._samples / whole_s,
            "wait_share": self._wait_s / whole_s,
            "flops_per_s": self._flops / whole_s,
        }
        if self._peak is not None:
            figures["mfu"] = mfu(self._flops, whole_s, self._peak)
        if self._device.type == "cuda":
            figures["peak_memory_bytes"] = torch.cuda.max_memory_allocated(self._device)
        return figures


def _evaluate(work: StageWork, state: TrainingState, metrics: Metrics) -> None:
    """The loss of the averaged weights on what was held out; tells it to a plateau schedule."""
    stage = work.recipe.stages[work.name]
    device, machine = next(state.model.parameters()).device, work.recipe.machine

    def predict(noisy: torch.Tensor, times: torch.Tensor, text: TextBatch) -> torch.Tensor:
        with autocast(machine.device, machine.precision):
            found: torch.Tensor = state.model(noisy.to(device), times.to(device), text.to(device))
        return found.cpu()

    with state.ema.applied():
        rows = evaluate(predict, work.held_out(), work.recipe.evaluation, work.recipe.seed)
    if not rows:
        return
    report = loss_report(rows)
    metrics.write("evaluation", state.step, report)
    state.plateau.saw(report["loss"], stage.optimizer.plateau_patience)
    logger.info("%s: step %d: validation loss %.4f", work.name, state.step, report["loss"])


def _sample(work: StageWork, state: TrainingState, metrics: Metrics) -> None:
    """Videos of the recipe's prompts, by the averaged weights."""
    assert work.sample is not None
    folder = work.folder / "samples" / f"step-{state.step:08d}"
    with state.ema.applied():
        sheet = work.sample(state.model, folder)
    metrics.image("samples", state.step, sheet)
    metrics.write("samples", state.step, {"folder": folder.name})
