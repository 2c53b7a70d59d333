"""The error of everything that opens, decodes or cuts a video."""

from curation.tables import FAILURES


class MediaError(ValueError):
    """A file that cannot be used, with the class of its failure.

    Attributes:
        reason: a key of `curation.tables.FAILURES`, which becomes the `reason` of the file's row.
    """

    def __init__(self, reason: str, message: str) -> None:
        assert reason in FAILURES, reason
        super().__init__(message)
        self.reason = reason
