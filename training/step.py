"""One optimizer step: forward and backward by micro-batches, checks, then the update."""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from training import floors
from training.acceleration import autocast
from training.data.loader import Batch
from training.errors import TrainingError
from training.flow import SIGMA_MIN, interpolate, squared_errors, velocity
from training.optimizer import learning_rate
from training.settings import MachineSettings, StageSettings
from training.state import TrainingState

logger = logging.getLogger(__name__)

INITIAL_TOLERANCE = 1e-3
"""Relative difference of the first loss from what it must be: rounding, and no more."""

STATISTICAL_TOLERANCE = 6.0
"""Standard errors that the first loss may be away from its expectation."""


@dataclass(frozen=True)
class StepReport:
    """What a step did."""

    step: int
    """Steps done, this one included."""

    loss: float
    """Mean squared error over all elements of the batch."""

    floor: float
    """What it could not be below if the latents were white Gaussian noise, at these times."""

    sample_losses: tuple[float, ...]
    """The same for each sample."""

    grad_norm: float
    """Before clipping."""

    learning_rate: float
    batch: Batch
    busy_s: float
    """Seconds it took, waiting for the batch left out."""


def take_step(
    state: TrainingState, batch: Batch, stage: StageSettings, machine: MachineSettings
) -> StepReport:
    """One step on a batch; the state is changed in place.

    The loss is the sum of squared errors over the count of elements of the whole step, so it does
    not depend on how the batch is cut into micro-batches.

    Raises:
        TrainingError: the loss or the gradient is not finite; nothing was changed.
    """
    began = time.monotonic()
    rate = learning_rate(state.step, stage.steps, stage.optimizer, state.plateau.cuts)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.optimizer.zero_grad(set_to_none=True)
    count = batch.data.numel()
    errors = torch.cat(
        [
            _backward(state, part, count, machine)
            for part in micro_batches(batch, stage.data.tokens_per_micro_batch)
        ]
    )
    norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), stage.optimizer.clip_norm)
    per_sample = errors.double().cpu() / (count // len(batch.ids))
    loss, grad_norm = float(per_sample.mean()), float(norm)
    if not (math.isfinite(loss) and math.isfinite(grad_norm)):
        raise TrainingError(_accusation(state.step, batch, per_sample, grad_norm))
    state.optimizer.step()
    state.step += 1
    state.optimizer_steps += 1
    state.ema.update(state.step)
    state.data = batch.next_state
    floor = float(floors.gaussian_floor(batch.times).mean())
    state.error += loss * count
    state.floor += floor * count
    state.elements += count
    state.samples_read += batch.num_read
    state.unreadable += len(batch.unreadable)
    losses = tuple(per_sample.tolist())
    return StepReport(
        state.step, loss, floor, losses, grad_norm, rate, batch, time.monotonic() - began
    )


def micro_batches(batch: Batch, tokens: int | None) -> Iterator[Batch]:
    """The batch in pieces of at most so many patches, and one sample at least; None leaves it."""
    size = len(batch.ids) if tokens is None else max(1, tokens // batch.bucket.tokens)
    for start in range(0, len(batch.ids), size):
        part = slice(start, start + size)
        yield replace(
            batch,
            ids=batch.ids[part],
            visits=batch.visits[part],
            rows=batch.rows[part],
            data=batch.data[part],
            noise=batch.noise[part],
            times=batch.times[part],
            text=batch.text.part(part),
        )


def _backward(state: TrainingState, batch: Batch, count: int, machine: MachineSettings) -> Tensor:
    """Adds the gradient of a micro-batch; the sums of squares of its samples, `[B]`."""
    device = next(state.model.parameters()).device
    data, noise = batch.data.to(device), batch.noise.to(device)
    times, text = batch.times.to(device), batch.text.to(device)
    noisy = interpolate(noise, data, times)
    with autocast(machine.device, machine.precision):
        predicted = state.model(noisy, times, text)
    errors = squared_errors(predicted, velocity(noise, data))
    torch.autograd.backward(errors.sum() / count)
    return errors.detach()


def _accusation(step: int, batch: Batch, per_sample: Tensor, grad_norm: float) -> str:
    guilty = [
        name
        for name, loss in zip(batch.ids, per_sample.tolist(), strict=True)
        if not math.isfinite(loss)
    ]
    who = f"the samples {', '.join(guilty)}" if guilty else f"one of {', '.join(batch.ids)}"
    what = "loss" if guilty else f"gradient (norm {grad_norm})"
    return (
        f"step {step + 1}: the {what} is not finite, from {who}. Nothing was changed by the step; "
        "the last checkpoint is from before it. Lower the learning rate, or take the sample out"
    )


STANDARD = (0.25, 4.0)
"""Mean squares of latents that count as standardised, in the first batch."""


def check_initial_loss(report: StepReport) -> None:
    """Checks the first loss of a model whose output layer is still zero: it is known beforehand.

    The output is 0, so the loss is the mean square of the target, v = x1 - (1 - sigma_min) x0.
    Written out by the moments of data and noise it is about s^2 + m^2 + (1 - sigma_min)^2, which
    holds only if latents, noise, target and reduction are what they should be.

    Raises:
        TrainingError: it is another.
    """
    data, noise = report.batch.data.double(), report.batch.noise.double()
    scale = 1.0 - SIGMA_MIN
    exact = float(
        (data**2).mean() + scale**2 * (noise**2).mean() - 2 * scale * (data * noise).mean()
    )
    expected = floors.initial_loss(float(data.mean()), float(data.var(unbiased=False)))
    # Of the mean of (x1 - x0)^2 over N elements, x0 standard normal: its variance given x1 is
    # 2 + 4 x1^2.
    spread = math.sqrt((2 + 4 * float((data**2).mean())) / data.numel())
    if not STANDARD[0] <= (square := float((data**2).mean())) <= STANDARD[1]:
        logger.warning(
            "the latents of the first step have a mean square of %.3g, and of standardised latents "
            "it is about 1: are the autoencoder's mean and std those of such videos?", square
        )  # fmt: skip
    if abs(report.loss - exact) > INITIAL_TOLERANCE * exact:
        raise TrainingError(
            f"the loss of the first step is {report.loss:.6f}, and with an output of zero it must "
            f"be {exact:.6f}: target, reduction or output layer are wrong"
        )
    if abs(exact - expected) > STATISTICAL_TOLERANCE * spread:
        raise TrainingError(
            f"the loss of the first step is {exact:.4f}, and {expected:.4f} is expected of such "
            f"latents and standard normal noise (standard error {spread:.4f}): the noise is wrong"
        )
