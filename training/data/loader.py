"""Batches for ever, from any place in the order: what a step is trained on.

The place is two numbers, epoch and step, so a resumed run goes on with the very batch that came
next. Noise, time and whether a sample sees its prompt are keyed by its id and visit: they are the
same in whatever batch, on whatever rank and however far ahead it is read.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from training.data.buckets import Bucket
from training.data.index import SampleIndex
from training.data.order import Step, plan_epoch
from training.data.prefetch import Prefetcher
from training.data.readers import Reader, Unreadable
from training.data.tally import NAMED, Tally
from training.flow import time_of
from training.randomness import normal, uniform
from training.settings import DataSettings, TimeSettings
from training.text.conditioning import TextBatch, collate
from training.text.spec import TextSpec


@dataclass(frozen=True, order=True)
class State:
    """A place in the order."""

    epoch: int = 0
    step: int = 0
    """Of the epoch: the next one to be read."""


@dataclass(frozen=True)
class Batch:
    """Samples of one bucket with all that is drawn for them, on the CPU."""

    bucket: Bucket
    is_image: bool
    """Whether these are images, some of them perhaps middle frames of clips."""

    ids: tuple[str, ...]
    rows: tuple[int, ...]
    """Of the index, which knows where each sample is from."""

    visits: tuple[int, ...]
    data: Tensor
    """`[B, C, T, H, W]`, float32: latents, standardised."""

    noise: Tensor
    """Standard normal, likewise."""

    times: Tensor
    """`[B]`, float32, in (0, 1)."""

    text: TextBatch
    unreadable: tuple[Unreadable, ...]
    """Samples that were skipped since the batch before."""

    next_state: State
    """The place after it."""

    wait_s: float = 0.0
    """How long the training loop waited for it."""

    num_read: int = 0
    """Samples that were read since the batch before, those of `unreadable` too."""


class Loader:
    """The batches of a stage."""

    def __init__(
        self,
        reader: Reader,
        data: DataSettings,
        times: TimeSettings,
        text: Sequence[TextSpec],
        seed: int,
        prefetch: int = 0,
    ) -> None:
        """Reads nothing yet.

        Args:
            reader: of the samples, with their index.
            data: what is trained on, and how large a step is.
            times: how times are drawn.
            text: the text encoders of the model.
            seed: of order, noise, times and dropout.
            prefetch: batches that are read ahead, in a thread; 0 reads when asked.
        """
        self.index: SampleIndex = reader.index
        self._reader, self._data, self._times = reader, data, times
        self._text, self._seed, self._prefetch = tuple(text), seed, prefetch
        self._named: list[Unreadable] = []

    def batches(
        self, state: State, num_read: int = 0, num_unreadable: int = 0
    ) -> Generator[Batch, None, None]:
        """The batches from a place on, for ever.

        Closing the generator, or letting go of it, ends the reading ahead. Only one generator of a
        loader should be in use at a time.

        Args:
            state: the place.
            num_read: samples that the batches before it read: the sum of their `num_read`.
            num_unreadable: of those, the sum of their `unreadable`.

        Raises:
            TrainingError: more samples are unreadable than the settings allow, or all clips of an
                epoch, or all images of one without clips; the message names some.
        """
        share, num_samples = self._data.max_unreadable_share, self._num_samples()
        # Runs ahead with the reading. What is read again after a pause is not counted twice, as
        # every call is told the counts at its place.
        tally = Tally(self.index.subset, share, num_samples, num_read, num_unreadable, self._named)
        ahead = Prefetcher(self._read(state, tally), self._prefetch)
        try:
            for batch in ahead:
                self._named += batch.unreadable[: NAMED - len(self._named)]
                yield replace(batch, wait_s=ahead.waited_s)
        finally:
            ahead.close()

    def _num_samples(self) -> int:
        """Samples that are trained on, those once that are trained on as clips and as images."""
        index, share, rows = self.index, self._data.image_share, self.index.training_rows
        clips = index.clips(rows) if share < 1 else rows[:0]
        images = index.images(rows) if share > 0 else rows[:0]
        return len(np.union1d(clips, images))

    def _read(self, state: State, tally: Tally) -> Iterator[Batch]:
        skipped: list[Unreadable] = []
        num_read = 0
        # An epoch has all samples of one kind; of images beside clips it may have a few.
        is_of_images = self._data.image_share == 1
        while True:
            steps = plan_epoch(self.index, self._data, self._seed, state.epoch)
            is_any_readable = False
            for number in range(state.step, len(steps)):
                is_last = number + 1 == len(steps)
                after = State(state.epoch + is_last, 0 if is_last else number + 1)
                batch, unreadable = self.batch(steps[number], after)
                tally.saw(len(steps[number].rows), unreadable)
                skipped += unreadable
                num_read += len(steps[number].rows)
                if batch is not None:
                    is_any_readable |= batch.is_image == is_of_images
                    yield replace(batch, unreadable=tuple(skipped), num_read=num_read)
                    skipped, num_read = [], 0
            if state.step == 0 and not is_any_readable:
                raise tally.error()
            state = State(state.epoch + 1, 0)

    def batch(self, step: Step, after: State) -> tuple[Batch | None, list[Unreadable]]:
        """The batch of a step, or of some of its rows, and what of it cannot be read.

        Args:
            step: of a plan; a rank takes its share of the rows.
            after: the place after it.

        Returns:
            None for a batch of which nothing can be read.
        """
        read = self._reader.read(step.rows, step.is_image)
        unreadable = [one for one in read if isinstance(one, Unreadable)]
        good = [
            (row, visit, one)
            for row, visit, one in zip(step.rows, step.visits, read, strict=True)
            if not isinstance(one, Unreadable)
        ]
        if not good:
            return None, unreadable
        rows, visits, examples = zip(*good, strict=True)
        ids = tuple(self.index.ids[row].as_py() for row in rows)
        keys = list(zip(ids, visits, strict=True))
        shape = examples[0].latent.shape
        uniforms = [uniform(self._seed, "time", *key) for key in keys]
        dropped = [uniform(self._seed, "drop", *key) < self._data.text_dropout for key in keys]
        batch = Batch(
            bucket=step.bucket,
            is_image=step.is_image,
            ids=ids,
            rows=rows,
            visits=visits,
            data=torch.stack([one.latent for one in examples]),
            noise=torch.stack([normal(shape, self._seed, "noise", *key) for key in keys]),
            times=time_of(torch.tensor(uniforms, dtype=torch.float64), self._times),
            text=collate([one.text for one in examples], self._text, dropped),
            unreadable=tuple(unreadable),
            next_state=after,
            num_read=len(step.rows),
        )
        return batch, unreadable
