"""Blocks of 8x8x8 pixels as the numbers of a cosine transform: where the autoencoder starts from.

The first numbers of the transform, in the order of how strong they are in footage, hold about what
the best linear code of that many numbers holds. The network around learns what is better.
"""

import math
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.autoencoder.blocks import as_it_is

FACTOR = 8
"""Pixels along each side of a block, and frames."""

COLOURS = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (1.0, -2.0, 1.0))
"""Light, and the two differences of colours that are least alike in pictures."""

COLOUR_STDS = (1.0, 0.35, 0.2)
"""How strong each is, of the light."""

FIRST_STD, FIRST_MOST, DECAY = 3.5, 5.0, 1.15
"""Standard deviation of the slowest wave in a block, how much stronger the mean is, and the power
by which the strength falls with the frequency; of values in [-1, 1], measured on films at 64 px."""

TIME_FACTOR = 3.0
"""A wave in time is as weak as one of three times the frequency in space."""


def cosine_basis(count: int) -> tuple[Tensor, Tensor]:
    """The strongest waves of a block of colour.

    Args:
        count: how many, at most 1536.

    Returns:
        The waves, orthonormal, `[count, 3, 8, 8, 8]`, and their standard deviations, `[count]`.
    """
    found = []
    for colour, frame, row, column in product(range(3), *[range(FACTOR)] * 3):
        frequency = math.sqrt((TIME_FACTOR * frame) ** 2 + row**2 + column**2)
        strength = min(FIRST_MOST, frequency**-DECAY) if frequency else FIRST_MOST
        std = FIRST_STD * COLOUR_STDS[colour] * strength
        found.append((-std, colour, frame, row, column))
    found.sort()
    waves = torch.stack([_wave(*one[1:]) for one in found[:count]])
    return waves, torch.tensor([-one[0] for one in found[:count]])


def _wave(colour: int, *frequencies: int) -> Tensor:
    sides = [_cosine(frequency) for frequency in frequencies]
    tint = torch.tensor(COLOURS[colour], dtype=torch.float64)
    wave = torch.einsum("c,t,h,w->cthw", tint / tint.norm(), *sides)
    return wave.float()


def _cosine(frequency: int) -> Tensor:
    """A row of the discrete cosine transform II, of length 1."""
    at = (torch.arange(FACTOR, dtype=torch.float64) + 0.5) * math.pi * frequency / FACTOR
    return at.cos() * math.sqrt((1 if frequency == 0 else 2) / FACTOR)


class PatchCode(nn.Module):
    """A linear code of the blocks of a video and its inverse, learnable, the cosines at first.

    Weights are kept near 1 and scaled where they are used, so that steps of one size, as AdamW's
    are, change them little by little.
    """

    waves: Tensor
    scale: Tensor

    def __init__(self, channels: int) -> None:
        """Makes both ways.

        Args:
            channels: numbers of a block.
        """
        super().__init__()
        waves, stds = cosine_basis(channels)
        size = math.sqrt(waves[0].numel())
        self.encoder_weight = nn.Parameter(torch.empty(channels, waves[0].numel()))
        self.decoder_weight = nn.Parameter(torch.empty(channels, waves[0].numel()))
        self.register_buffer("waves", waves.flatten(1) * size, persistent=False)
        self.register_buffer("scale", stds[:, None] * size, persistent=False)
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """Makes it the cosines."""
        self.encoder_weight.copy_(self.waves)
        self.decoder_weight.copy_(self.waves)

    def encode(self, blocks_bthwn: Tensor) -> Tensor:
        """Shape `[B, channels, ceil(T / 8), H / 8, W / 8]`, float32, of the blocks of a video."""
        with as_it_is(blocks_bthwn):
            coded = functional.linear(blocks_bthwn.float(), self.encoder_weight / self.scale)
        return coded.permute(0, 4, 1, 2, 3)

    def decode(self, latents_bcthw: Tensor) -> Tensor:
        """The blocks, `[B, T, H, W, 1536]`, float32."""
        weight = self.decoder_weight * (self.scale / self.waves.shape[1])
        with as_it_is(latents_bcthw):
            return latents_bcthw.float().permute(0, 2, 3, 4, 1) @ weight


def blocks_of(video_bcthw: Tensor) -> Tensor:
    """The blocks of a video, `[B, ceil(T / 8), H / 8, W / 8, 3 * 8 * 8 * 8]`.

    Args:
        video_bcthw: sides of full blocks, and of any length: copies of its last frame fill it up.
    """
    missing = -video_bcthw.shape[2] % FACTOR
    if missing:
        last = video_bcthw[:, :, -1:].expand(-1, -1, missing, -1, -1)
        video_bcthw = torch.cat([video_bcthw, last], dim=2)
    batch, channels, frames, height, width = (
        side // FACTOR if number > 1 else side for number, side in enumerate(video_bcthw.shape)
    )
    split = (batch, channels, frames, FACTOR, height, FACTOR, width, FACTOR)
    return video_bcthw.reshape(split).permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4)


def video_of(blocks_bthwn: Tensor, num_frames: int) -> Tensor:
    """The video `[B, 3, num_frames, 8H, 8W]` of blocks, its spurious frames dropped."""
    batch, frames, height, width, _ = blocks_bthwn.shape
    split = blocks_bthwn.reshape(batch, frames, height, width, 3, FACTOR, FACTOR, FACTOR)
    split = split.permute(0, 4, 1, 5, 2, 6, 3, 7)
    size = (batch, 3, frames * FACTOR, height * FACTOR, width * FACTOR)
    return split.reshape(size)[:, :, :num_frames]
