"""The temporal autoencoder of Movie Gen: 8x8x8 pixels become one position of `C` channels.

A VAE that was inflated from one of pictures (Movie Gen, https://arxiv.org/abs/2410.13720, section
3.1.1): after every 2-D convolution one in time, after the attention in space one in time. An image
is a video of one frame. Around the network goes a linear code of blocks (`patches`), and
the middle of either half reads or writes whole blocks besides. The paper's has neither: it starts
from an autoencoder of pictures that was trained before. This one starts from the linear code, and
is better within minutes.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.autoencoder.blocks import (
    Attention,
    FrameTimeConv,
    PositionNorm,
    Residual,
    TimeConv,
    Upsample,
)
from training.autoencoder.patches import FACTOR, PatchCode, blocks_of, video_of
from training.autoencoder.settings import TaeArchitecture
from training.randomness import initialise

OUT_GAIN = 0.05
"""Of what the network adds to a video, whose values are about 1. AdamW moves each weight alike, and
a last layer sums hundreds, so that without it the first steps would do harm."""

LATENT_GAIN = 0.3
"""The same for latents."""

LOG_VARIANCE = -6.0
"""Of the latents before anything is learnt: noise of 0.05 on values of about 1."""

BLOCK_VALUES = 3 * FACTOR**3

LOG_VARIANCES = (-20.0, 10.0)
"""Bounds, so that no step makes it infinite."""


@dataclass
class Posterior:
    """What a video may have been, as independent normal distributions."""

    mean: Tensor
    """`[B, C, T, H, W]`, float32."""

    log_variance: Tensor
    """The same shape."""

    def sample(self, noise: Tensor) -> Tensor:
        """One draw, of standard normal noise of the same shape."""
        return self.mean + (0.5 * self.log_variance).exp() * noise


class Middle(nn.Module):
    """At the smallest scale: a block, attention in space and in time, a block."""

    def __init__(self, channels: int, attention: bool) -> None:
        """Makes it."""
        super().__init__()
        kinds = [Attention(channels, False), Attention(channels, True)] if attention else []
        self.parts = nn.Sequential(
            Residual(channels, channels), *kinds, Residual(channels, channels)
        )

    def forward(self, x_bcthw: Tensor) -> Tensor:
        """The same shape."""
        return cast(Tensor, self.parts(x_bcthw))


class Encoder(nn.Module):
    """From a video to the mean and log variance of its latents."""

    def __init__(self, shape: TaeArchitecture) -> None:
        """Makes it."""
        super().__init__()
        widths, count = shape.channels, shape.blocks_per_scale
        self.conv_in = FrameTimeConv(3, widths[0])
        self.scales = nn.ModuleList(
            nn.Sequential(*(Residual(width, width) for _ in range(count))) for width in widths
        )
        self.down = nn.ModuleList(
            FrameTimeConv(width, wider, stride=2) for width, wider in pairwise(widths)
        )
        self.blocks_in = nn.Linear(BLOCK_VALUES, widths[-1])
        self.middle = Middle(widths[-1], shape.attention)
        self.norm = PositionNorm(widths[-1])
        self.conv_out = FrameTimeConv(widths[-1], 2 * shape.latent_channels)

    def forward(self, video_bcthw: Tensor, blocks_bthwn: Tensor) -> Tensor:
        """Shape `[B, 2 C, ceil(T / 8), H / 8, W / 8]`."""
        x = self.conv_in(video_bcthw)
        for number, scale in enumerate(self.scales):
            x = scale(self.down[number - 1](x) if number else x)
        x = x + self.blocks_in(blocks_bthwn).permute(0, 4, 1, 2, 3)
        return cast(Tensor, self.conv_out(functional.silu(self.norm(self.middle(x)))))


class Decoder(nn.Module):
    """From latents to a video."""

    def __init__(self, shape: TaeArchitecture) -> None:
        """Makes it."""
        super().__init__()
        widths, count = shape.channels[::-1], shape.blocks_per_scale
        self.conv_in = FrameTimeConv(shape.latent_channels, widths[0])
        self.middle = Middle(widths[0], shape.attention)
        self.scales = nn.ModuleList(
            nn.Sequential(*(Residual(width, width) for _ in range(count))) for width in widths
        )
        self.up = nn.ModuleList(Upsample(width, narrower) for width, narrower in pairwise(widths))
        self.norm_blocks = PositionNorm(widths[0])
        self.blocks_out = nn.Linear(widths[0], BLOCK_VALUES)
        self.conv_draft = FrameTimeConv(3, widths[-1])
        self.norm = PositionNorm(widths[-1])
        self.conv_out = FrameTimeConv(widths[-1], 3)

    def forward(self, latents_bcthw: Tensor, blocks_bthwn: Tensor, num_frames: int) -> Tensor:
        """Shape `[B, 3, num_frames, 8H, 8W]`."""
        x = self.middle(self.conv_in(latents_bcthw))
        blocks = self.blocks_out(self.norm_blocks(x).permute(0, 2, 3, 4, 1)).float()
        draft = video_of(blocks_bthwn + OUT_GAIN * blocks, num_frames)
        for number, scale in enumerate(self.scales):
            if number:
                x = self.up[number - 1](x, -(-num_frames // 2 ** (len(self.up) - number)))
            if number == len(self.up):
                x = x + self.conv_draft(draft.contiguous(memory_format=torch.channels_last_3d))
            x = scale(x)
        learnt = self.conv_out(functional.silu(self.norm(x))).float()
        return cast(Tensor, draft + OUT_GAIN * learnt)


class Tae(nn.Module):
    """The network: encoder and decoder, and the linear code around them."""

    def __init__(self, shape: TaeArchitecture) -> None:
        """Makes it; `reset` gives it weights."""
        super().__init__()
        self.latent_channels = shape.latent_channels
        self.encoder, self.decoder = Encoder(shape), Decoder(shape)
        self.patches = PatchCode(shape.latent_channels)

    def reset(self, seed: int) -> None:
        """The weights to start from; at first the network adds nothing to the linear code."""
        for module in self.modules():
            if isinstance(module, TimeConv | PositionNorm | PatchCode):
                module.reset()
        initialise(self, seed, self._std_of)
        head = self.encoder.conv_out.time.bias
        assert head is not None
        with torch.no_grad():
            head[self.latent_channels :] = LOG_VARIANCE

    @property
    def last_layer(self) -> nn.Parameter:
        """The weights that videos come out of."""
        return cast(nn.Parameter, self.decoder.conv_out.time.weight)

    def encode(self, video_bcthw: Tensor) -> Posterior:
        """The posterior `[B, C, ceil(T / 8), ceil(H / 8), ceil(W / 8)]` of a video in [-1, 1]."""
        height, width = video_bcthw.shape[3:]
        margins = (0, -width % FACTOR, 0, -height % FACTOR, 0, 0)
        padded = functional.pad(video_bcthw, margins, mode="replicate")
        blocks = blocks_of(padded)
        learnt = self.encoder(
            padded.contiguous(memory_format=torch.channels_last_3d), blocks
        ).float()
        mean, log_variance = learnt.chunk(2, dim=1)
        mean = LATENT_GAIN * mean + self.patches.encode(blocks)
        return Posterior(mean, log_variance.clamp(*LOG_VARIANCES))

    def decode(self, latents_bcthw: Tensor, num_frames: int) -> Tensor:
        """The video `[B, 3, num_frames, 8H, 8W]`, float32, not bounded.

        Args:
            latents_bcthw: T latent frames.
            num_frames: up to `8 T`; frames beyond are spurious.
        """
        assert -(-num_frames // FACTOR) == latents_bcthw.shape[2]
        latents = latents_bcthw.contiguous(memory_format=torch.channels_last_3d)
        return cast(Tensor, self.decoder(latents, self.patches.decode(latents_bcthw), num_frames))

    def _std_of(self, name: str, parameter: nn.Parameter) -> float | None:
        module_name, _, kind = name.rpartition(".")
        module = self.get_submodule(module_name)
        if isinstance(module, TimeConv | PositionNorm | PatchCode):
            return None
        last = (".conv2.frame", "conv_out.frame", ".out", "blocks_out")
        if kind == "bias" or module_name.endswith(last):
            return 0.0
        return 1 / math.sqrt(math.prod(parameter.shape[1:]))


def latent_frames(num_frames: int) -> int:
    """Latent frames of a video of so many frames."""
    return -(-num_frames // FACTOR)
