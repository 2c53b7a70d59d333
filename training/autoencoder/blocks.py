"""The parts of the temporal autoencoder: those of a picture network, each with one in time.

Tensors are `[B, C, T, H, W]`, best in `torch.channels_last_3d`. In time everything is symmetric,
and what lies before the first frame and after the last is a copy of it.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

HEAD_DIM = 64


def as_it_is(x: Tensor) -> torch.autocast:
    """In there nothing is cast: autocast would make float32 of what is only moved about."""
    return torch.autocast(x.device.type, enabled=False)


class PositionNorm(nn.Module):
    """Layer norm over the channels of each position.

    Group norm, as in autoencoders of pictures, looks at the whole frame: crops would train another
    network than is used, and pieces of a video would not fit together.
    """

    def __init__(self, channels: int) -> None:
        """Makes the scale and shift of each channel."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """Scales by 1 and shifts by 0."""
        self.weight.fill_(1)
        self.bias.zero_()

    def forward(self, x_bcthw: Tensor) -> Tensor:
        """The same shape."""
        last = x_bcthw.permute(0, 2, 3, 4, 1)
        normed = functional.layer_norm(last, last.shape[-1:], self.weight, self.bias)
        return normed.permute(0, 4, 1, 2, 3)


class FrameConv(nn.Conv3d):
    """A 2-D convolution of 3x3 on each frame, padded with zeros."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        """Makes it; an even side is halved by a stride of 2."""
        super().__init__(channels_in, channels_out, (1, 3, 3), (1, stride, stride), (0, 1, 1))


class TimeConv(nn.Conv3d):
    """A 1-D convolution of 3 in time, which at first passes on the frame at its centre.

    `T` frames become `ceil(T / stride)`.
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        """Makes it as the identity."""
        super().__init__(channels, channels, (3, 1, 1), (stride, 1, 1))
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """Makes it the identity."""
        self.weight.zero_()
        self.weight[:, :, 1, 0, 0] = torch.eye(len(self.weight), device=self.weight.device)
        cast(Tensor, self.bias).zero_()

    def forward(self, input: Tensor) -> Tensor:
        """Shape `[B, C, ceil(T / stride), H, W]`."""
        with as_it_is(input):
            padded = functional.pad(input, (0, 0, 0, 0, 1, 1), mode="replicate")
        return super().forward(padded)


class FrameTimeConv(nn.Module):
    """The 2.5-D convolution: 3x3 on each frame, then 3 in time."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        """Makes both.

        Args:
            channels_in: channels before.
            channels_out: channels after.
            stride: in space and time; 2 turns 8x8x8 into 4x4x4.
        """
        super().__init__()
        self.frame = FrameConv(channels_in, channels_out, stride)
        self.time = TimeConv(channels_out, stride)

    def forward(self, x_bcthw: Tensor) -> Tensor:
        """Shape `[B, channels_out, ceil(T / stride), H / stride, W / stride]`."""
        return cast(Tensor, self.time(self.frame(x_bcthw)))


class Residual(nn.Module):
    """Adds two convolutions, each after a norm and SiLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        """Makes it; where the channels differ, a product takes the input along."""
        super().__init__()
        self.norm1, self.conv1 = PositionNorm(channels_in), FrameTimeConv(channels_in, channels_out)
        self.norm2, self.conv2 = (
            PositionNorm(channels_out),
            FrameTimeConv(channels_out, channels_out),
        )
        self.skip = nn.Conv3d(channels_in, channels_out, 1) if channels_in != channels_out else None

    def forward(self, x_bcthw: Tensor) -> Tensor:
        """Shape `[B, channels_out, T, H, W]`."""
        inner = self.conv1(functional.silu(self.norm1(x_bcthw)))
        inner = self.conv2(functional.silu(self.norm2(inner)))
        skipped = x_bcthw if self.skip is None else self.skip(x_bcthw)
        return cast(Tensor, skipped + inner)


class Attention(nn.Module):
    """Adds attention among the positions of each frame, or among the frames of each position."""

    def __init__(self, channels: int, over_time: bool) -> None:
        """Makes it, with heads of about 64 channels."""
        super().__init__()
        heads = max(1, channels // HEAD_DIM)
        self.num_heads = heads if channels % heads == 0 else 1
        self.over_time = over_time
        self.norm = PositionNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x_bcthw: Tensor) -> Tensor:
        """The same shape."""
        batch, channels, frames, height, width = x_bcthw.shape
        # [B, T, H*W, C], and for time [B, H*W, T, C].
        rows = self.norm(x_bcthw).permute(0, 2, 3, 4, 1).flatten(2, 3)
        rows = rows.transpose(1, 2) if self.over_time else rows
        split = self.query_key_value(rows).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = split.movedim(-3, 0).transpose(-3, -2)
        seen = functional.scaled_dot_product_attention(query, key, value)
        out = self.out(seen.transpose(-3, -2).flatten(-2))
        out = out.transpose(1, 2) if self.over_time else out
        out = out.reshape(batch, frames, height, width, channels)
        return cast(Tensor, x_bcthw + out.permute(0, 4, 1, 2, 3))


class Upsample(nn.Module):
    """Nearest neighbours, twice as many in space and time, and a convolution in each."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        """Makes it."""
        super().__init__()
        self.conv = FrameTimeConv(channels_in, channels_out)

    def forward(self, x_bcthw: Tensor, num_frames: int) -> Tensor:
        """Shape `[B, channels_out, num_frames, 2H, 2W]`.

        Args:
            x_bcthw: what is enlarged.
            num_frames: `2T`, or one less: the last frame is spurious where their number was odd.
        """
        # Frames are doubled after the convolution that looks at one at a time: half the work.
        wide = self.conv.frame(_repeated(x_bcthw, (1, 2, 2)))
        doubled = _repeated(wide, (2, 1, 1))
        return cast(Tensor, self.conv.time(doubled[:, :, :num_frames]))


def _repeated(x_bcthw: Tensor, times: tuple[int, int, int]) -> Tensor:
    with as_it_is(x_bcthw):
        return functional.interpolate(x_bcthw, scale_factor=times, mode="nearest")
