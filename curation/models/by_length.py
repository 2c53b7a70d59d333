"""Token sequences through a network, those of one length together."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch


def by_length(
    tokens: Sequence[Sequence[int]],
    batch_size: int,
    infer: Callable[["torch.Tensor"], "torch.Tensor"],
    device: str = "cpu",
) -> list[npt.NDArray[np.float32]]:
    """What a network makes of each sequence, in the order in which they are given.

    Sequences of one length need neither padding nor a mask, and what comes out for one does not
    depend on the others.

    Args:
        tokens: sequences of one token at least.
        batch_size: the most sequences at a time.
        infer: the network, int64 `[N, L]` to `[N, ...]`.
        device: where it computes.
    """
    import torch

    found: dict[int, npt.NDArray[np.float32]] = {}
    order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
    with torch.inference_mode():
        for _, group in groupby(order, key=lambda row: len(tokens[row])):
            rows = list(group)
            for start in range(0, len(rows), batch_size):
                part = rows[start : start + batch_size]
                given = torch.tensor([list(tokens[row]) for row in part], device=device)
                found.update(zip(part, infer(given).float().cpu().numpy(), strict=True))
    return [found[row] for row in range(len(tokens))]
