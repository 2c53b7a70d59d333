"""How many samples could not be read, and when that is too many."""

from collections.abc import Sequence

from training.data.readers import Unreadable

FEWEST = 20
"""Samples that are read before a share of them says anything; or a whole epoch."""

NAMED = 5
"""Samples that a message names."""


class Tally:
    """Counts the samples that were read, and those that could not be."""

    def __init__(self, subset: str, most: float) -> None:
        """Starts from none.

        Args:
            subset: for the message.
            most: share of the samples that may be unreadable.
        """
        self._subset, self._most = subset, most
        self._read = self._good_of_epoch = 0
        self._unreadable: list[Unreadable] = []
        self._num_unreadable = 0

    def saw(self, num_read: int, unreadable: Sequence[Unreadable], ends_epoch: bool) -> None:
        """Counts a step.

        Args:
            num_read: its samples.
            unreadable: those of them that could not be read.
            ends_epoch: whether it is the last of an epoch that was read from its first step on.

        Raises:
            ValueError: too many are unreadable, or a whole epoch; it names the first few.
        """
        self._read += num_read
        self._good_of_epoch += num_read - len(unreadable)
        self._num_unreadable += len(unreadable)
        self._unreadable += unreadable[: NAMED - len(self._unreadable)]
        share = self._num_unreadable / self._read
        says = self._read >= FEWEST or ends_epoch
        if (says and share > self._most) or (ends_epoch and not self._good_of_epoch):
            named = "; ".join(f"{one.id}: {one.reason}" for one in self._unreadable)
            raise ValueError(
                f"{self._num_unreadable} of the first {self._read} samples of {self._subset} "
                f"cannot be read, and data.max_unreadable_share allows {self._most:g} of them. "
                f"{named}. `moviola verify` tells what is damaged in the workspace"
            )
        if ends_epoch:
            self._good_of_epoch = 0
