"""What to do when a GPU has no memory left, said where it is known what takes it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from training.errors import TrainingError


@contextmanager
def enough_gpu_memory(otherwise: str) -> Iterator[None]:
    """Turns what PyTorch raises without memory into a sentence.

    Args:
        otherwise: what to lower, as advice.

    Raises:
        TrainingError: the memory of the GPU does not suffice.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(f"the memory of the GPU does not suffice: {otherwise}") from error
