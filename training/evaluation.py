"""The loss on held-out samples.

Each sample is evaluated at the same times, with noise of its own that never changes. So the loss of
a model does not depend on the size or order of batches, on the number of ranks, or on what training
has drawn, and two models differ by what they are, not by luck.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from training.errors import TrainingError
from training.flow import interpolate, squared_errors, velocity
from training.randomness import normal
from training.settings import EvaluationSettings
from training.text.conditioning import TextBatch

Predict = Callable[[Tensor, Tensor, TextBatch], Tensor]
"""The velocity, `[B, C, T, H, W]`, at points, times `[B]` and prompts: a model or its caller."""


@dataclass(frozen=True)
class HeldOutBatch:
    """Held-out samples of one bucket, on the device that `predict` takes and gives back."""

    ids: tuple[str, ...]
    """Of the samples."""

    bucket: str
    """Name of their bucket; a sample may be evaluated in two, as a video and as an image."""

    latents: Tensor
    """`[B, C, T, H, W]`, standardised."""

    text: TextBatch
    """Their prompts; which of them are dropped is of no matter."""

    concepts: tuple[int | None, ...]
    """The cluster of each, None where it has none."""

    sources: tuple[str, ...]
    """Where each is from."""


@dataclass(frozen=True, slots=True)
class LossRow:
    """The loss of one sample at one time."""

    id: str
    """Of the sample."""

    bucket: str
    """Name of its bucket."""

    concept: int | None
    """Its cluster."""

    source: str
    """Where it is from."""

    time: float
    """In [0, 1), where 0 is noise."""

    squared_error: float
    """Summed over its elements."""

    num_elements: int
    """Elements of its latents."""


def evaluate(
    predict: Predict,
    batches: Iterable[HeldOutBatch],
    settings: EvaluationSettings,
    seed: int,
) -> list[LossRow]:
    """The loss of each sample at each time, in the order of the batches.

    Every sample sees its prompt, whatever training drops. Every rank may evaluate batches of its
    own, and the rows of all be put together.

    Args:
        predict: asks the model. Nothing that it computes is differentiated.
        batches: the samples, in any batches.
        settings: how many times.
        seed: of the noise.

    Raises:
        TrainingError: an error is not finite, as the model has diverged or a latent is damaged.
    """
    rows: list[LossRow] = []
    with torch.no_grad():
        for batch in batches:
            text = replace(batch.text, dropped=torch.zeros_like(batch.text.dropped))
            for index, time in enumerate(evaluation_times(settings.num_times)):
                rows.extend(_rows(batch, time, _errors(predict, batch, text, time, index, seed)))
    return rows


def evaluation_times(num_times: int) -> list[float]:
    """Equidistant times from 0 on, below 1: of 8, as MLPerf has them, 0, 1/8, ... 7/8."""
    return [index / num_times for index in range(num_times)]


def evaluation_noise(latents: Tensor, ids: Iterable[str], index: int, seed: int) -> Tensor:
    """The noise of samples at the time of this index, like `latents`."""
    noise = [normal(latents.shape[1:], seed, "evaluation", id, index) for id in ids]
    return torch.stack(noise).to(latents.device)


def _errors(
    predict: Predict, batch: HeldOutBatch, text: TextBatch, time: float, index: int, seed: int
) -> list[float]:
    """The summed squared error of each sample."""
    latents = batch.latents.float()
    noise = evaluation_noise(latents, batch.ids, index, seed)
    times = torch.full((len(latents),), time, device=latents.device)
    predicted = predict(interpolate(noise, latents, times), times, text)
    errors: list[float] = squared_errors(predicted, velocity(noise, latents)).tolist()
    return errors


def _rows(batch: HeldOutBatch, time: float, errors: list[float]) -> Iterator[LossRow]:
    num_elements = batch.latents[0].numel()
    samples = zip(batch.ids, batch.concepts, batch.sources, errors, strict=True)
    for id, concept, source, error in samples:
        if not error < float("inf"):  # neither infinite nor NaN
            raise TrainingError(
                f"the error of held-out sample {id} at time {time:g} is {error}: the model has "
                "diverged, or if its loss is finite, this latent is damaged"
            )
        yield LossRow(id, batch.bucket, concept, source, time, error, num_elements)
