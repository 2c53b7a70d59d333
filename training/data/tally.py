"""How many samples could not be read, and when that is too many."""

from collections.abc import Sequence

from training.data.readers import Unreadable
from training.errors import TrainingError

FEW = 3
"""Samples that may be unreadable beside the share, of every epoch: one of ten is no reason to end,
and neither is one of the first ten of a hundred million. Where half the share that is allowed is
unreadable, no more than one run in fifty ends by chance."""

NAMED = 5
"""Samples that a message names."""


class Tally:
    """Counts the samples that were read, and those that could not be, each time they come."""

    def __init__(
        self,
        subset: str,
        share: float,
        num_samples: int,
        num_read: int = 0,
        num_unreadable: int = 0,
        named: Sequence[Unreadable] = (),
    ) -> None:
        """Goes on from what was counted before.

        Args:
            subset: for the message.
            share: of what is read that may be unreadable, and `FEW` more of every `num_samples`;
                0 allows none at all.
            num_samples: that there are to train on.
            num_read: counted before.
            num_unreadable: of those.
            named: the first few of these, as far as they are known.
        """
        self._subset, self._share, self._num_samples = subset, share, num_samples
        self._num_read, self._num_unreadable = num_read, num_unreadable
        self._named = [*named]

    def saw(self, num_read: int, unreadable: Sequence[Unreadable]) -> None:
        """Counts a step.

        Args:
            num_read: its samples.
            unreadable: those of them that could not be read.

        Raises:
            TrainingError: too many are unreadable; it names the first few.
        """
        self._num_read += num_read
        self._num_unreadable += len(unreadable)
        self._named += unreadable[: NAMED - len(self._named)]
        if unreadable and self._num_unreadable > self._allowed():
            raise self.error()

    def error(self) -> TrainingError:
        """What is said of the counts when they end training."""
        named = "; ".join(f"{one.id}: {one.reason}" for one in self._named)
        return TrainingError(
            f"{self._num_unreadable} of the first {self._num_read} samples of {self._subset} "
            f"cannot be read, and data.max_unreadable_share allows {self._share:g} of them. "
            f"{named}. `moviola verify` tells what is damaged in the workspace"
        )

    def _allowed(self) -> float:
        if self._share == 0:
            return 0
        epochs = -(-self._num_read // self._num_samples)
        return self._share * self._num_read + FEW * epochs
