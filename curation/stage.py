"""What a stage is: the contract between the work, in `curation`, and the engine that runs it."""

from abc import ABC, abstractmethod
from typing import ClassVar

import pyarrow as pa


class CannotGoOn(Exception):
    """Raised by a stage's call when no other row would fare better, such as with a dead server.

    The run ends with its message, and what is finished is committed; the same command goes on.
    """


class Stage(ABC):
    """Turns a batch of input rows into exactly as many rows of one table.

    A stage knows nothing of Ray, resume, commits or progress: the engine gives it those. It is
    constructed on the driver with its settings, pickled to the workers, set up there once, then
    called with batches.
    """

    name: ClassVar[str]
    """The table it writes (a name in `curation.tables`), which is also its name on the command
    line."""

    key: ClassVar[str]
    """The id column, present in the input rows and in the table: one row in, one row out per id."""

    tracked: ClassVar[tuple[str, ...]] = ()
    """Columns of both the input rows and the table: where they differ, the row is made again."""

    version: ClassVar[int]
    """Raised by whoever changes what the stage computes; a new version redoes every row."""

    @property
    @abstractmethod
    def schema(self) -> pa.Schema:
        """The schema of the rows that a call returns, without the engine's own columns."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Names the stage version and every setting its rows depend on (`settings.fingerprint`)."""

    def setup(self) -> None:  # noqa: B027 - most stages need none, and that is not an oversight
        """Loads what the worker needs, once per worker process."""

    @abstractmethod
    def __call__(self, batch: pa.Table) -> pa.Table:
        """One output row per input row, in any order, with `status`, `reason`, `error`, `cpu_s`.

        Whatever is wrong with a row becomes its `failed` status. An exception that escapes costs
        the batch a second try row by row, and is then written as that row's error.

        Raises:
            CannotGoOn: no row can be done any more.
        """
