"""The order of an epoch: which samples make which step, a function of the seed and the epoch alone.

- Weights set how often a sample comes: its expected visits are its weight by the mean weight. Each
  epoch has as many visits as there are samples, and each sample its expected visits rounded up or
  down, by systematic sampling in an order of the epoch's own.
- The visits of a bucket are shuffled and cut into steps of the bucket's batch size. The rest is a
  smaller step, so that none is lost; the loss counts elements, not steps.
- The steps of all buckets are shuffled together. A step has one bucket, and a cluster splits its
  rows over the ranks: all ranks then have the same work, and the order does not depend on how many
  they are.
- With an image share between 0 and 1 an epoch is one of the clips, and steps on images are spread
  evenly between theirs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.buckets import Bucket, batch_size
from training.data.draws import draws, mixed
from training.data.index import Rows, SampleIndex
from training.randomness import uniform
from training.settings import DataSettings

EPOCH_VISITS = 2**32
"""Visit numbers of an epoch: they are `epoch * EPOCH_VISITS` and up."""

IMAGE_VISITS = 2**31
"""Where those of images begin, as a clip and its middle frame have one id."""

Shares = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """Samples of one shape that make one optimizer step."""

    bucket: Bucket
    is_image: bool
    """Whether it is on images: samples of one frame, or the middle frames of clips."""

    rows: tuple[int, ...]
    """Of the index. A row may be there twice, with two visits."""

    visits: tuple[int, ...]
    """Of each row: no two of a row, in whatever epoch, are equal. With the sample's id they key
    its noise, its time and whether it sees its prompt."""


def plan_epoch(index: SampleIndex, settings: DataSettings, seed: int, epoch: int) -> list[Step]:
    """The steps of an epoch, in their order; the same on every machine and for any resume.

    Args:
        index: the samples. Held-out ones are in no step.
        settings: share of images and tokens of a step.
        seed: with `epoch`, what the order depends on.
        epoch: from 0.
    """
    drawn = _Draws(index, settings, seed, epoch)
    share, rows = settings.image_share, index.training_rows
    if share == 1:
        return drawn.shuffled([*drawn.all_once(index.images(rows), is_image=True)])
    steps = drawn.shuffled([*drawn.all_once(index.clips(rows), is_image=False)])
    # Rounded up as often as the fraction says, so that short epochs do not lose their images.
    ideal = len(steps) * share / (1 - share)
    num_images = int(ideal + uniform(seed, "images", epoch))
    if not num_images:
        return steps
    images = drawn.shuffled([*drawn.so_many(index.images(rows), num_images)])
    return _spread(steps, images, uniform(seed, "spread", epoch))


@dataclass(frozen=True)
class _Draws:
    """What is drawn in one epoch."""

    index: SampleIndex
    settings: DataSettings
    seed: int
    epoch: int

    def all_once(self, rows: Rows, is_image: bool) -> Iterator[Step]:
        """Steps with as many visits as there are rows, weighted."""
        yield from self._steps(rows, self._shares(rows) * len(rows), is_image, sizes=None)

    def so_many(self, rows: Rows, num_steps: int) -> Iterator[Step]:
        """So many steps on images, whole ones, in which each row comes by its weight.

        A step has no more images than its bucket has, weighted: it would have some of them twice.
        """
        expected = self._shares(rows) * len(rows)
        bucket = self.index.image_bucket[rows]
        visits = np.bincount(bucket, expected, len(self.index.buckets))
        sizes = np.array(
            [
                min(batch_size(one, self.settings.tokens_per_step), max(1, int(np.ceil(most))))
                for one, most in zip(self.index.buckets, visits, strict=True)
            ]
        )
        ideal = visits / sizes
        ideal *= num_steps / ideal.sum()
        steps = _rounded(ideal, uniform(self.seed, "image buckets", self.epoch))
        for number in np.flatnonzero(steps):
            inside = bucket == number
            count = int(steps[number] * sizes[number])
            share = self._shares(rows[inside]) * count
            yield from self._steps(rows[inside], share, is_image=True, sizes=sizes)

    def shuffled(self, steps: list[Step]) -> list[Step]:
        """The steps in an order of the epoch's own."""
        kind = "images" if steps and steps[0].is_image else "clips"
        places = draws(np.arange(len(steps), dtype=np.uint64), self.seed, "steps", kind, self.epoch)
        return [steps[one] for one in np.argsort(places, kind="stable")]

    def _shares(self, rows: Rows) -> Shares:
        """The weights of the rows, of sum 1; alike where all of them are 0."""
        weights = self.index.weights[rows]
        # Not `sum`, whose last bit depends on the processor.
        total = np.cumsum(weights)[-1]
        return weights / total if total > 0 else np.full(len(rows), 1 / len(rows))

    def _steps(
        self, rows: Rows, expected: Shares, is_image: bool, sizes: Rows | None
    ) -> Iterator[Step]:
        """Visits of rows, shuffled within their buckets and cut into steps."""
        kind = "images" if is_image else "clips"
        keys = self.index.keys[rows]
        order = np.argsort(draws(keys, self.seed, "copies", kind, self.epoch), kind="stable")
        copies = np.empty(len(rows), np.int64)
        copies[order] = _rounded(expected[order], uniform(self.seed, "copies", kind, self.epoch))
        row = np.repeat(np.arange(len(rows)), copies)
        copy = np.arange(len(row)) - np.repeat(np.cumsum(copies) - copies, copies)
        assert not len(copy) or copy.max() < IMAGE_VISITS
        bucket = (self.index.image_bucket if is_image else self.index.bucket)[rows[row]]
        place = draws(keys[row] ^ mixed(copy.astype(np.uint64)), self.seed, "order", self.epoch)
        order = np.lexsort((place, bucket))
        first = self.epoch * EPOCH_VISITS + is_image * IMAGE_VISITS
        all_rows, all_visits = rows[row][order].tolist(), (first + copy)[order].tolist()
        ends = np.cumsum(np.bincount(bucket, minlength=len(self.index.buckets))).tolist()
        for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            shape = self.index.buckets[number]
            size = batch_size(shape, self.settings.tokens_per_step)
            size = size if sizes is None else int(sizes[number])
            for at in range(start, end, size):
                part = slice(at, min(at + size, end))
                yield Step(shape, is_image, tuple(all_rows[part]), tuple(all_visits[part]))


def _rounded(expected: Shares, offset: float) -> Rows:
    """Whole numbers, each up or down of what is expected, whose sum is that of the expected.

    Systematic sampling (Madow 1949): with `offset` uniform in (0, 1) the mean of each is exact.
    """
    ends = np.cumsum(expected)
    ends = np.minimum(ends, round(ends[-1]))
    ends[-1] = round(ends[-1])
    return np.asarray(np.diff(np.floor(ends + offset), prepend=0.0), np.int64)


def _spread(steps: list[Step], between: list[Step], offset: float) -> list[Step]:
    """Both lists as one, the steps of each in their order, as evenly mixed as can be."""
    total = len(steps) + len(between)
    few, many = sorted((between, steps), key=len)
    places = {int((at + offset) * total / len(few)) for at in range(len(few))}
    assert len(places) == len(few)
    sources = iter(few), iter(many)
    return [next(sources[place not in places]) for place in range(total)]
