"""Random 64-bit numbers for every sample of an index at once, keyed by the samples' ids.

`training.randomness` hashes an id for each number, a microsecond or so; an epoch of millions needs
them in one go. Here an id is hashed once, and what is drawn for it is a mix of that and of what the
draw is for, so it still depends on neither the other samples nor their order.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]

_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_FACTOR_1, _FACTOR_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def keys_of(ids: Iterable[str]) -> Keys:
    """The first 64 bits of the BLAKE2b hash of each id, `[N]`."""
    hashes = b"".join(hashlib.blake2b(one.encode(), digest_size=8).digest() for one in ids)
    return np.frombuffer(hashes, "<u8").astype(np.uint64)


def draws(keys: Keys, seed: int, *parts: str | int) -> Keys:
    """For each key a number that is uniform over 64 bits, keyed by the seed and the parts too.

    Two rounds of the finaliser of SplitMix64 (Steele, Lea and Flood 2014), each after a key of its
    own from the BLAKE2b hash of seed and parts.
    """
    hashed = hashlib.blake2b(repr((int(seed), *parts)).encode(), digest_size=16).digest()
    first, second = np.frombuffer(hashed, "<u8").astype(np.uint64)
    return mixed(mixed(keys ^ first) + second)


def mixed(numbers: Keys) -> Keys:
    """The finaliser of SplitMix64: one to one, and every bit of it depends on every bit."""
    numbers = (numbers ^ (numbers >> _SHIFT_1)) * _FACTOR_1
    numbers = (numbers ^ (numbers >> _SHIFT_2)) * _FACTOR_2
    return numbers ^ (numbers >> _SHIFT_3)
