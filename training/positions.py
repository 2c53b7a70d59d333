"""Learnt positions in time, height and width, and what becomes of them in a larger model.

As in NaViT (https://arxiv.org/abs/2307.06304) each of the three has a table of its own, and a
patch's position is the sum of three entries: frame t, row h and column w count from 0 at the first
frame's upper left corner. An image is frame 0.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.settings import PositionSettings

if TYPE_CHECKING:
    from training.transformer import Transformer

SIDES = ("frames", "height", "width")


class Positions(nn.Module):
    """The three tables, `[entries, dim]` each."""

    def __init__(self, settings: PositionSettings, dim: int) -> None:
        super().__init__()
        for side in SIDES:
            self.register_parameter(side, nn.Parameter(torch.zeros(getattr(settings, side), dim)))

    def check(self, frames: int, height: int, width: int) -> None:
        """Checks that so many patches have positions.

        Raises:
            ValueError: a side is larger than its table.
        """
        for side, size in zip(SIDES, (frames, height, width), strict=True):
            if size > (most := len(self.get_parameter(side))):
                raise ValueError(
                    f"a sample has {size} patches on the side `{side}` and the model's table has "
                    f"{most}: ask for smaller or shorter ones, or train with a "
                    f"`positions.{side}` of {size} or more"
                )

    def forward(self, frames: int, height: int, width: int) -> Tensor:
        """The position of each patch, frame by frame and row by row, `[frames height width, dim]`.

        Raises:
            ValueError: a side is larger than its table.
        """
        self.check(frames, height, width)
        sizes = zip(SIDES, (frames, height, width), strict=True)
        of_frames, of_rows, of_columns = (self.get_parameter(side)[:size] for side, size in sizes)
        sums = of_frames[:, None, None] + of_rows[:, None] + of_columns
        return sums.flatten(0, 2)


def grown(
    state: Mapping[str, Tensor], model: "Transformer", growth: PositionSettings
) -> dict[str, Tensor]:
    """The weights of an earlier stage, for a model whose tables are as large or larger.

    Frames always extend: old entries keep their index, new ones are the model's own. Rows and
    columns do so too by `extend`; by `stretch` the old ones are spread over the new table,
    interpolated linearly between centres of patches, so that half a picture is half the table in
    both. All else is copied.

    Args:
        state: the earlier model's weights by their names.
        model: the new model, initialised.
        growth: the positions of the new stage.

    Raises:
        ValueError: a name is missing or unknown, a shape differs, or a table has become smaller.
    """
    own = model.state_dict()
    _check_names(state, own)
    result = {}
    for name, old in state.items():
        module, _, side = name.rpartition(".")
        if module == "positions":
            stretch = growth.growth == "stretch" and side != "frames"
            result[name] = _grown_table(side, old, own[name], stretch)
        elif old.shape == own[name].shape:
            result[name] = old.clone()
        else:
            was, wanted = list(old.shape), list(own[name].shape)
            raise ValueError(
                f"{name} has the shape {was} in the weights and {wanted} in the model: start from "
                "weights of the same transformer, text encoders and autoencoder"
            )
    return result


def _check_names(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    for kind, names in (("lack", own.keys() - state.keys()), ("have", state.keys() - own.keys())):
        if names:
            other = "which the model has" if kind == "lack" else "which the model has not"
            raise ValueError(
                f"the weights {kind} {min(names)}{_and_more(len(names))}, {other}: start from "
                "weights of the same transformer and text encoders"
            )


def _and_more(count: int) -> str:
    return "" if count == 1 else f" and {count - 1} more"


def _grown_table(side: str, old: Tensor, new: Tensor, stretch: bool) -> Tensor:
    if old.shape[1:] != new.shape[1:] or len(old) > len(new):
        raise ValueError(
            f"the table positions.{side} has the shape {list(old.shape)} in the weights and "
            f"{list(new.shape)} in the model: it can only become longer, so raise "
            f"`positions.{side}` of the stage to {len(old)} at least, or start from other weights"
        )
    if stretch:
        # Not `align_corners`: outermost patches are centred half a patch inside the picture.
        return F.interpolate(old.T[None], size=len(new), mode="linear", align_corners=False)[0].T
    return torch.cat([old, new[len(old) :].to(old)])
