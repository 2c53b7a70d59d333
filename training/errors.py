"""What ends training before its time. Importing this loads no PyTorch."""


class TrainingError(RuntimeError):
    """Training cannot go on, though nothing is wrong with what was asked; the message says why."""


class CheckpointError(OSError):
    """A checkpoint cannot be written; the message says why, and what is still there."""
