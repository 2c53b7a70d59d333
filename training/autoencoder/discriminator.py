"""A discriminator that judges patches of frames: is this part real, or was it decoded?"""

import math
from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from training.randomness import initialise

WIDTHS = (64, 128, 256, 512)
"""Channels of the layers; all but the last halve the sides."""


class PatchDiscriminator(nn.Module):
    """The PatchGAN of pix2pix (Isola et al. 2016, https://arxiv.org/abs/1611.07004), on each frame.

    Each answer looks at 70x70 px. Group norm instead of batch norm, whose answers for a video would
    depend on the other videos of the batch.
    """

    def __init__(self) -> None:
        """Makes it; `reset` gives it weights."""
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, WIDTHS[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for width, wider in pairwise(WIDTHS):
            stride = 1 if wider == WIDTHS[-1] else 2
            layers += [
                nn.Conv2d(width, wider, 4, stride, 1),
                nn.GroupNorm(wider // 16, wider),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(WIDTHS[-1], 1, 4, 1, 1))

    def reset(self, seed: int) -> None:
        """The weights to start from."""
        initialise(self, seed, self._std_of)

    def forward(self, video_bcthw: Tensor) -> Tensor:
        """Answers, above 0 for real, `[B * T, 1, H', W']` of a video in [-1, 1], at least 32 px."""
        frames = video_bcthw.transpose(1, 2).flatten(0, 1)
        return cast(Tensor, self.layers(frames))

    def _std_of(self, name: str, parameter: nn.Parameter) -> float | None:
        module_name, _, kind = name.rpartition(".")
        if not isinstance(self.get_submodule(module_name), nn.Conv2d):
            return None
        return 0.0 if kind == "bias" else 1 / math.sqrt(math.prod(parameter.shape[1:]))
