"""The transformer of Movie Gen, which says where noisy latents move to (arXiv 2410.13720).

In shapes, B are samples, C channels, T frames, H and W the latents' height and width, L patches,
D the width of the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.blocks import Block, TimeNetwork, modulated
from training.positions import Positions
from training.randomness import initialise
from training.settings import PositionSettings, TransformerSettings
from training.text.conditioning import TextBatch, TextConditioner, conditioner_std
from training.text.spec import TextSpec

PATCH = 2
"""Height and width of a patch in latents; it is one frame long."""

ZEROED = (".table", ".cross_attention.out.weight")
"""Parameters of blocks that are zero at first, so that blocks pass on what they get."""


@dataclass(frozen=True)
class Shape:
    """How large a transformer is."""

    num_layers: int
    dim: int
    ffn_dim: int
    num_heads: int


SHAPES = {
    "tiny": Shape(num_layers=4, dim=192, ffn_dim=512, num_heads=3),
    "1b": Shape(num_layers=24, dim=1536, ffn_dim=4096, num_heads=16),
    "5b": Shape(num_layers=32, dim=3072, ffn_dim=8192, num_heads=24),
    "30b": Shape(num_layers=48, dim=6144, ffn_dim=16384, num_heads=48),
}
"""The paper's 30b and 5b, and two for less."""


def shape_of(settings: TransformerSettings) -> Shape:
    """The shape that the settings ask for.

    Raises:
        ValueError: the width is no multiple of the number of heads.
    """
    size = SHAPES[settings.size]
    shape = Shape(
        num_layers=settings.num_layers or size.num_layers,
        dim=settings.dim or size.dim,
        ffn_dim=settings.ffn_dim or size.ffn_dim,
        num_heads=settings.num_heads or size.num_heads,
    )
    if shape.dim % shape.num_heads:
        raise ValueError(
            f"transformer: dim {shape.dim} is no multiple of num_heads {shape.num_heads}; set "
            "either so that it is"
        )
    return shape


def patchify(latents_BCTHW: Tensor) -> Tensor:
    """Patches of 1x2x2 latents, frame by frame and row by row, `[B, T H/2 W/2, C 2 2]`."""
    batch, channels, frames, height, width = latents_BCTHW.shape
    split = latents_BCTHW.reshape(
        batch, channels, frames, height // PATCH, PATCH, width // PATCH, PATCH
    )
    return split.permute(0, 2, 3, 5, 1, 4, 6).reshape(
        batch, frames * (height // PATCH) * (width // PATCH), channels * PATCH * PATCH
    )


def unpatchify(patches_BLP: Tensor, frames: int, rows: int, columns: int) -> Tensor:
    """The inverse of `patchify`, `[B, C, frames, 2 rows, 2 columns]`."""
    split = patches_BLP.view(len(patches_BLP), frames, rows, columns, -1, PATCH, PATCH)
    joined = split.permute(0, 4, 1, 2, 5, 3, 6)
    return joined.flatten(5, 6).flatten(3, 4)


class Transformer(nn.Module):
    """The velocity of latents at a time, under a text.

    Attributes:
        blocks: the blocks by their numbers from "0" on.
        text: what the text becomes before the blocks read it.
    """

    def __init__(
        self,
        shape: Shape,
        latent_channels: int,
        positions: PositionSettings,
        text: Sequence[TextSpec],
    ) -> None:
        """Builds it with PyTorch's initial weights; `reset` gives those of training.

        Args:
            shape: how large it is.
            latent_channels: channels of the latents.
            positions: sizes of the tables of positions, which bound the latents.
            text: the text encoders.
        """
        super().__init__()
        patch_dim = latent_channels * PATCH * PATCH
        self.text = TextConditioner(text, shape.dim)
        self.time = TimeNetwork(shape.dim, num_vectors=8)
        self.positions = Positions(positions, shape.dim)
        self.patch = nn.Linear(patch_dim, shape.dim)
        self.blocks = nn.ModuleDict(
            {
                str(number): Block(shape.dim, shape.ffn_dim, shape.num_heads)
                for number in range(shape.num_layers)
            }
        )
        self.out = nn.Linear(shape.dim, patch_dim)

    def forward(self, latents_BCTHW: Tensor, times_B: Tensor, text: TextBatch) -> Tensor:
        """The velocity, `[B, C, T, H, W]` in float32.

        First and last layer compute in float32 whatever `torch.autocast` says, and patches are
        float32 between the blocks: what comes in and goes out is not rounded to bfloat16.

        Args:
            latents_BCTHW: noisy latents of any height and width; odd ones are continued by their
                last row or column, which is left out of the result.
            times_B: 0 for noise to 1 for data, float32.
            text: what the latents are to show.

        Raises:
            ValueError: there are more frames, rows or columns than positions.
        """
        frames, height, width = latents_BCTHW.shape[2:]
        rows, columns = -(-height // PATCH), -(-width // PATCH)
        positions_LD = self.positions(frames, rows, columns)
        vectors_B8D = self.time(times_B)
        context_BSD, mask_BS = self.text(text)
        with torch.autocast(latents_BCTHW.device.type, enabled=False):
            margin = (0, columns * PATCH - width, 0, rows * PATCH - height, 0, 0)
            x = self.patch(patchify(F.pad(latents_BCTHW.float(), margin, mode="replicate")))
        for block in self.blocks.values():
            x = block(x, positions_LD, vectors_B8D[:, :6], context_BSD, mask_BS)
        with torch.autocast(latents_BCTHW.device.type, enabled=False):
            shift_B1D, scale_B1D = vectors_B8D[:, 6:].unsqueeze(2).unbind(1)
            patches_BLP = self.out(modulated(x.float(), shift_B1D, scale_B1D))
        return unpatchify(patches_BLP, frames, rows, columns)[..., :height, :width]

    def reset(self, seed: int) -> None:
        """Gives every parameter its initial value, by the seed and its name."""
        initialise(self, seed, _std_of)


def _std_of(name: str, parameter: nn.Parameter) -> float | None:
    """The standard deviation of a parameter's initial values; None for norms, which are 1."""
    if name.startswith(("time.out.", "out.")) or name.endswith(ZEROED):
        return 0.0
    return conditioner_std(name, parameter)
