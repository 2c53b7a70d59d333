"""Random numbers that depend on what they are for, never on when, where or by whom they are drawn.

Each draw is keyed by the seed and by the names of the thing it is for: a parameter's name, or a
sample's id and how often it was visited. So ranks, workers, batches and a resume after a crash all
see the same numbers, without passing the state of any generator around.
"""

import hashlib
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn


def generator(seed: int, *parts: str | int) -> torch.Generator:
    """A generator on the CPU, keyed by the seed and the parts.

    For permutations and the like. PyTorch takes only 32 bits of a key, so that among 77 000 of
    these two are alike by an even chance; `normal` and `uniform` have no such limit.
    """
    # Not all 64 bits: it would say the same of the lower half, and look as if it did not.
    return torch.Generator().manual_seed(int.from_bytes(_digest(seed, parts)[:4], "little"))


def normal(shape: Sequence[int], seed: int, *parts: str | int) -> Tensor:
    """Standard normal numbers, float32 on the CPU, keyed by the seed and the parts.

    NumPy draws them: its method gives the same bits on every processor, where PyTorch's depends on
    the vector instructions there are.
    """
    key = int.from_bytes(_digest(seed, parts), "little")
    numbers = np.random.Generator(np.random.PCG64DXSM(key))
    flat = numbers.standard_normal(math.prod(shape), dtype=np.float32)
    return torch.from_numpy(flat).reshape(tuple(shape))


def uniform(seed: int, *parts: str | int) -> float:
    """A number in (0, 1), neither end included, keyed by the seed and the parts."""
    # 52 bits and a half: with 53 the largest would round to 1.
    bits = int.from_bytes(_digest(seed, parts)[:8], "little") >> 12
    return (bits + 0.5) / 2**52


@torch.no_grad()
def initialise(
    module: nn.Module, seed: int, std_of: Callable[[str, nn.Parameter], float | None]
) -> None:
    """Gives each parameter normal numbers of its own, keyed by the seed and its qualified name.

    They are drawn on the parameter's full shape, one parameter at a time: training that shards a
    parameter draws the same and keeps its slice, and needs memory for one parameter more.

    Args:
        module: what is initialised, in place.
        seed: with the names, what the numbers depend on.
        std_of: the standard deviation by name and parameter; 0 makes zeros, None keeps the value.
    """
    for name, parameter in module.named_parameters():
        std = std_of(name, parameter)
        if std is None:
            continue
        if std == 0.0:
            parameter.zero_()
        else:
            parameter.copy_(normal(parameter.shape, seed, "parameter", name).mul_(std))


def _digest(seed: int, parts: Sequence[str | int]) -> bytes:
    """16 bytes that differ whenever the seed, a part, its type, or where parts end differs."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in (seed, *parts):
        kind = b"s" if isinstance(part, str) else b"i"
        text = (part if isinstance(part, str) else str(int(part))).encode()
        hashed.update(kind + len(text).to_bytes(8, "little") + text)
    return hashed.digest()
