"""Embeddings of prompts to the sequence that the transformer attends to.

As in Movie Gen (https://arxiv.org/abs/2410.13720) each encoder has a projection and a
norm of its own, and what they say is concatenated along the sequence.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from training.text.byte_encoder import ByteEncoder
from training.text.spec import TextSpec

SMALL_STD = 0.02


@dataclass(frozen=True)
class TextBatch:
    """What the encoders say of a batch of prompts, filled up to one length for each encoder."""

    values: dict[str, Tensor]
    """By the encoder's name: embeddings, float32 `[B, L, D]`, or bytes, int64 `[B, L]`."""

    masks: dict[str, Tensor]
    """Bool `[B, L]`, True where there is a token."""

    dropped: Tensor
    """Bool `[B]`, True for samples that see no prompt."""

    def to(self, device: torch.device | str) -> "TextBatch":
        """The same on a device."""
        return TextBatch(
            {name: values.to(device) for name, values in self.values.items()},
            {name: mask.to(device) for name, mask in self.masks.items()},
            self.dropped.to(device),
        )

    def nulled(self) -> "TextBatch":
        """The same with every sample dropped, for the unconditional half of guidance."""
        return replace(self, dropped=torch.ones_like(self.dropped))

    def part(self, samples: slice) -> "TextBatch":
        """Some of the samples, filled up to the same lengths."""
        return TextBatch(
            {name: values[samples] for name, values in self.values.items()},
            {name: mask[samples] for name, mask in self.masks.items()},
            self.dropped[samples],
        )

    def joined(self, other: "TextBatch") -> "TextBatch":
        """These samples and then the others, which are filled up to the same lengths."""
        return TextBatch(
            {name: torch.cat([one, other.values[name]]) for name, one in self.values.items()},
            {name: torch.cat([one, other.masks[name]]) for name, one in self.masks.items()},
            torch.cat([self.dropped, other.dropped]),
        )


def collate(
    texts: Sequence[Mapping[str, npt.NDArray[Any]]],
    specs: Sequence[TextSpec],
    dropped: Sequence[bool],
) -> TextBatch:
    """A batch of what the encoders said of each prompt.

    Args:
        texts: of each sample, by the encoder's name, `[L, D]`, or `[L]` of bytes; L may be 0.
        specs: the encoders. Tokens above their `max_tokens` are cut.
        dropped: which samples see no prompt.

    Raises:
        ValueError: an encoder's array is missing, or has another shape than the encoder gives.
    """
    assert len(texts) == len(dropped)
    values, masks = {}, {}
    for spec in specs:
        arrays = [_checked(text, spec)[: spec.max_tokens] for text in texts]
        lengths = torch.tensor([len(array) for array in arrays])
        # One at least, for the null token.
        longest = max(1, *map(len, arrays)) if arrays else 1
        shape = (len(arrays), longest) if spec.kind == "bytes" else (len(arrays), longest, spec.dim)
        filled = np.zeros(shape, np.int64 if spec.kind == "bytes" else np.float32)
        for row, array in enumerate(arrays):
            filled[row, : len(array)] = array
        values[spec.name] = torch.from_numpy(filled)
        masks[spec.name] = torch.arange(longest)[None] < lengths[:, None]
    return TextBatch(values, masks, torch.tensor(dropped, dtype=torch.bool))


def _checked(text: Mapping[str, npt.NDArray[Any]], spec: TextSpec) -> npt.NDArray[Any]:
    array = text.get(spec.name)
    wanted = () if spec.kind == "bytes" else (spec.dim,)
    if array is None or array.ndim != len(wanted) + 1 or array.shape[1:] != wanted:
        form = "bytes [L]" if spec.kind == "bytes" else f"embeddings [L, {spec.dim}]"
        found = "nothing" if array is None else f"an array {list(array.shape)}"
        raise ValueError(
            f"text.{spec.name} gives {form}, and a sample has {found}; encode the subset anew"
        )
    return array


class TextConditioner(nn.Module):
    """Projects what the encoders say to the transformer's width, and concatenates it.

    Where a sample is dropped, or an encoder has no token for it, one learned token stands instead.
    """

    def __init__(self, specs: Sequence[TextSpec], dim: int) -> None:
        """Has PyTorch's own initial weights; `conditioner_std` says what they should be.

        Args:
            specs: the encoders, in the order in which they are concatenated.
            dim: the transformer's width.
        """
        super().__init__()
        self._names = [spec.name for spec in specs]
        # A module's own attributes, such as `half`, cannot be names.
        self.encoders = nn.ModuleDict({f"text_{spec.name}": _Part(spec, dim) for spec in specs})

    def forward(self, text: TextBatch) -> tuple[Tensor, Tensor]:
        """The context `[B, L, dim]`, and its mask, bool `[B, L]`; it is 0 where that is False."""
        parts = []
        for name in self._names:
            present = text.masks[name] & ~text.dropped[:, None]
            parts.append(self.encoders[f"text_{name}"](text.values[name], present))
        contexts, masks = zip(*parts, strict=True)
        return torch.cat(contexts, dim=1), torch.cat(masks, dim=1)


class _Part(nn.Module):
    """One encoder's share of the context."""

    def __init__(self, spec: TextSpec, dim: int) -> None:
        super().__init__()
        self.bytes = (
            ByteEncoder(spec.dim, spec.max_tokens, spec.num_layers)
            if spec.kind == "bytes"
            else None
        )
        self.null = nn.Parameter(torch.zeros(spec.dim))
        self.linear = nn.Linear(spec.dim, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, values: Tensor, present_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Context and mask of this encoder."""
        if self.bytes is not None:
            states_BLD = self.bytes(values, present_BL)
        else:
            states_BLD = values.to(self.null.dtype)
        # Tokens come first, so where the first is none there is none.
        first_L = torch.arange(present_BL.shape[1], device=present_BL.device) == 0
        null_BL = first_L & ~present_BL
        states_BLD = torch.where(null_BL[..., None], self.null.to(states_BLD.dtype), states_BLD)
        mask_BL = present_BL | null_BL
        context_BLD = self.norm(self.linear(states_BLD))
        return context_BLD.masked_fill(~mask_BL[..., None], 0), mask_BL


def conditioner_std(name: str, parameter: nn.Parameter) -> float | None:
    """The standard deviation to initialise a parameter with; 0 is zeros, None keeps its value.

    Matrices have 1 / sqrt(inputs), which keeps the scale of what goes through them; norms stay.

    Args:
        name: its name in a `TextConditioner`, or in what holds one.
        parameter: of that name.
    """
    *_, owner, kind = ("", *name.split("."))
    if owner.endswith("norm"):
        return None
    if kind == "bias":
        return 0.0
    if kind == "weight" and owner != "embedding":
        return 1 / math.sqrt(parameter.shape[1])
    return SMALL_STD
