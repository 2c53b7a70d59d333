"""TransNet V2, a network that sees the transitions between shots, whatever their kind.

T. Souček, J. Lokoč, "TransNet V2: An effective deep network architecture for fast shot transition
detection", 2020, https://arxiv.org/abs/2008.04838. The computation is that of the published network
(MIT, (c) 2020 Tomáš Souček, https://github.com/soCzech/TransNetV2), written anew for inference:
batch normalisation is folded into the convolutions before it, and branches that read the same input
are one convolution.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curation.models.checkpoint import tensors
from curation.models.model import weights_file

if TYPE_CHECKING:
    from torch import Tensor

FILE = "transnetv2.pth"
WIDTH_PX, HEIGHT_PX = 48, 27
WINDOW_FRAMES = 100
"""Frames that the network was trained on, and sees at a time."""

MARGIN_FRAMES = 25
"""Frames at each end of a window that are context alone, as in the original's `predict_frames`."""

DILATIONS = (1, 2, 4, 8)
REACH_FRAMES = 50
"""How far a frame is compared with those before and after it."""

BATCH_NORM_EPSILON = 1e-3

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


def check_transnet(weights: Path) -> Path:
    """The path of the weights, once all that the network needs is there; loads nothing.

    Args:
        weights: the folder of the model files.

    Raises:
        ValueError: the file or the package torch is missing; the message says what to do.
    """
    if importlib.util.find_spec("torch") is None:
        raise ValueError(
            "clips.shots.transnet needs the package torch, which is missing; "
            "`pip install 'moviola[models]'` brings it"
        )
    return weights_file(weights, FILE)


class TransNet:
    """The network with its weights, on the calling thread of the CPU."""

    def __init__(self, weights: Path) -> None:
        """Loads the weights.

        Args:
            weights: the file `transnetv2.pth`.

        Raises:
            ValueError: the file is no such checkpoint.
        """
        import torch  # two seconds

        torch.set_num_threads(1)
        stored = tensors(weights)
        try:
            self._cells = [
                [_cell(stored, f"SDDCNN.{block}.DDCNN.{cell}") for cell in range(2)]
                for block in range(3)
            ]
            self._linear = {
                name: [torch.tensor(stored[f"{name}.{part}"]) for part in ("weight", "bias")]
                for name in ("frame_sim_layer.projection", "frame_sim_layer.fc", *_HEADS)
            }
        except KeyError as error:
            raise ValueError(f"{weights} holds no TransNet V2: {error} is missing") from error

    def __call__(self, frames: Picture) -> tuple[Floats, Floats]:
        """What the network makes of one window.

        Args:
            frames: RGB, `[T, 27, 48, 3]`, T at most `WINDOW_FRAMES`.

        Returns:
            Two probabilities per frame, `[T]` each: that a transition has its middle here (of a
            hard cut: that this is the last frame of the old shot), and that the frame lies anywhere
            within a transition.
        """
        import torch
        from torch.nn import functional

        with torch.inference_mode():
            pictures = torch.from_numpy(frames)
            x = pictures.permute(0, 3, 1, 2).float().div_(255.0)
            x = x.contiguous(memory_format=torch.channels_last)
            means = []
            for first, second in self._cells:
                shortcut = functional.relu(_convolved(x, first))
                x = functional.relu(_convolved(shortcut, second)) + shortcut
                x = functional.avg_pool2d(x, 2)
                means.append(x.mean(dim=(2, 3)))
            seen = self._applied("frame_sim_layer.projection", torch.cat(means, dim=1))
            parts = [
                self._compared("color_hist_layer.fc", _histograms(pictures)),
                self._compared("frame_sim_layer.fc", functional.normalize(seen, dim=1)),
                x.permute(0, 2, 3, 1).reshape(len(x), -1),
            ]
            x = functional.relu(self._applied("fc1", torch.cat(parts, dim=1)))
            one_hot, many_hot = (
                torch.sigmoid(self._applied(name, x))[:, 0].numpy()
                for name in ("cls_layer1", "cls_layer2")
            )
        return one_hot, many_hot

    def _applied(self, name: str, x: "Tensor") -> "Tensor":
        from torch.nn import functional

        weight, bias = self._linear[name]
        return functional.linear(x, weight, bias)

    def _compared(self, name: str, features: "Tensor") -> "Tensor":
        """Each frame's cosines with its neighbours (0 beyond the ends), through a layer."""
        import torch
        from torch.nn import functional

        cosines = functional.pad(features @ features.T, [REACH_FRAMES, REACH_FRAMES])
        diagonals = torch.as_strided(
            cosines, (len(features), 2 * REACH_FRAMES + 1), (cosines.shape[1] + 1, 1)
        )
        return functional.relu(self._applied(name, diagonals))


_HEADS = ("color_hist_layer.fc", "fc1", "cls_layer1", "cls_layer2")

Cell = tuple["Tensor", list[list["Tensor"]], list["Tensor"]]
"""Weights of the convolution in space; by dilation, those of the three taps in time, and biases."""


def _cell(stored: Mapping[str, npt.NDArray[np.float32]], name: str) -> Cell:
    import torch

    spatial = [stored[f"{name}.Conv3D_{d}.layers.0.weight"][:, :, 0] for d in DILATIONS]
    temporal = [stored[f"{name}.Conv3D_{d}.layers.1.weight"][..., 0, 0] for d in DILATIONS]
    scale = stored[f"{name}.bn.weight"] / np.sqrt(
        stored[f"{name}.bn.running_var"] + BATCH_NORM_EPSILON
    )
    bias = stored[f"{name}.bn.bias"] - stored[f"{name}.bn.running_mean"] * scale
    scaled = [
        w.transpose(2, 0, 1) * s[:, None]
        for w, s in zip(temporal, np.split(scale, len(DILATIONS)), strict=True)
    ]
    return (
        torch.from_numpy(np.concatenate(spatial)).contiguous(memory_format=torch.channels_last),
        [list(torch.from_numpy(taps)) for taps in scaled],
        list(torch.from_numpy(bias).chunk(len(DILATIONS))),
    )


def _convolved(x: "Tensor", cell: Cell) -> "Tensor":
    """`[T, C, H, W]` through convolutions in space, then in time, side by side per dilation."""
    import torch
    from torch.nn import functional

    spatial, temporal, biases = cell
    frames, _, height, width = x.shape
    x = (
        functional.conv2d(x, spatial, padding=1)
        .permute(0, 2, 3, 1)
        .reshape(frames, -1, len(spatial))
    )
    branches = []
    parts = x.chunk(len(DILATIONS), 2)
    for part, taps, bias, dilation in zip(parts, temporal, biases, DILATIONS, strict=True):
        before, here, after = taps
        summed = functional.linear(part, here, bias)
        summed[dilation:] += functional.linear(part[:-dilation], before)
        summed[:-dilation] += functional.linear(part[dilation:], after)
        branches.append(summed)
    joined = torch.cat(branches, dim=2)
    return joined.reshape(frames, height, width, -1).permute(0, 3, 1, 2)


def _histograms(pictures: "Tensor") -> "Tensor":
    """Unit-length histograms of 8x8x8 colours, `[T, 512]`."""
    import torch
    from torch.nn import functional

    thirds = pictures.int() >> 5
    bins = (thirds[..., 0] << 6) + (thirds[..., 1] << 3) + thirds[..., 2]
    bins = bins.reshape(len(bins), -1).long()
    counts = torch.zeros(len(bins), 512).scatter_add_(1, bins, torch.ones(bins.shape))
    return functional.normalize(counts, dim=1)
