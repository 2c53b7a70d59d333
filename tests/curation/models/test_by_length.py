"""Sequences of different lengths through one network, without padding."""

import numpy as np
import torch

from curation.models.by_length import by_length


def test_each_sequence_gets_what_is_its_own_in_the_order_given() -> None:
    tokens = [[5], [1, 2, 3], [7, 8], [9], [4, 4, 4], [6], [2]]
    seen: list[list[int]] = []

    def infer(given: torch.Tensor) -> torch.Tensor:
        seen.append(list(given.shape))
        return given[..., None].to(torch.bfloat16) * torch.tensor([1, 10])

    found = by_length(tokens, 3, infer)
    for one, given in zip(found, tokens, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, np.outer(given, [1, 10]))
    assert seen == [[3, 1], [1, 1], [1, 2], [2, 3]]
    assert by_length([], 3, infer) == []
