"""EfficientNet-Lite0, which says which of ImageNet's 1000 things a picture shows.

Tan and Le 2019 (https://arxiv.org/abs/1905.11946); the Lite variants leave out squeeze-and-excite
and use ReLU6. The blocks' kernels and widths are those of the weights; only their strides are not.
Each batch normalisation is made part of the convolution before it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from curation.media.rendering import Picture
from curation.models.checkpoint import tensors
from curation.models.model import weights_file

if TYPE_CHECKING:
    import torch

FILE = "efficientnet-lite0.pth"
SIDE_PX = 224
NUM_CLASSES = 1000

NUM_BLOCKS = 16
HALVING = {1, 3, 5, 11}
"""Blocks of stride 2."""

BN_EPSILON = 1e-3

Array = npt.NDArray[np.float32]


class EfficientNetLite0:
    """The network, on the CPU and on the calling thread alone."""

    def __init__(self, weights: Path) -> None:
        """Loads the weights.

        Args:
            weights: the folder of the model files.

        Raises:
            ValueError: the file is missing or no checkpoint of this network, or torch is missing.
        """
        try:
            import torch  # two seconds, and an extra
        except ImportError as error:
            raise ValueError(f"{error}: pip install 'moviola[models]'") from error
        torch.set_num_threads(1)
        path = weights_file(weights, FILE)
        held = tensors(path)
        try:
            self._layers = {
                name: tuple(torch.tensor(value) for value in _layer(held, name))
                for name in _names()
            }
        except KeyError as error:
            raise ValueError(f"{path} is no EfficientNet-Lite0: it lacks {error}") from error

    def __call__(self, batch: npt.NDArray[np.uint8]) -> Array:
        """Probabilities of the classes, `[N, 1000]`.

        Args:
            batch: of `network_input`, `[N, 224, 224, 3]`.
        """
        import torch

        with torch.inference_mode():
            values = torch.from_numpy(batch).permute(0, 3, 1, 2)
            logits = self._logits((values.float() - 127) / 128)
            return np.asarray(logits.softmax(dim=1).numpy(), np.float32)

    def _logits(self, values: "torch.Tensor") -> "torch.Tensor":
        from torch.nn.functional import linear

        values = self._convolved("_conv_stem", values, stride=2).clamp_(0, 6)
        for number in range(NUM_BLOCKS):
            values = self._block(f"_blocks.{number}", values, 2 if number in HALVING else 1)
        values = self._convolved("_conv_head", values).clamp_(0, 6).mean(dim=(2, 3))
        return linear(values, *self._layers["_fc"])

    def _block(self, name: str, values: "torch.Tensor", stride: int) -> "torch.Tensor":
        inner = values
        if f"{name}._expand_conv" in self._layers:
            inner = self._convolved(f"{name}._expand_conv", inner).clamp_(0, 6)
        inner = self._convolved(f"{name}._depthwise_conv", inner, stride).clamp_(0, 6)
        inner = self._convolved(f"{name}._project_conv", inner)
        return values + inner if inner.shape == values.shape else inner

    def _convolved(self, name: str, values: "torch.Tensor", stride: int = 1) -> "torch.Tensor":
        from torch.nn.functional import conv2d, linear, pad

        weight, bias = self._layers[name]
        if weight.shape[2:] == (1, 1):
            # On one thread torch has no fast convolution for this, but a fast product.
            last = linear(values.permute(0, 2, 3, 1), weight[:, :, 0, 0], bias)
            return last.permute(0, 3, 1, 2)
        # As TensorFlow pads "same": where that is odd, there is more on the right and below.
        down, across = (
            max((-(-length // stride) - 1) * stride + kernel - length, 0)
            for length, kernel in zip(values.shape[2:], weight.shape[2:], strict=True)
        )
        if down % 2 or across % 2:
            values = pad(values, (across // 2, across - across // 2, down // 2, down - down // 2))
            down = across = 0
        groups = values.shape[1] // weight.shape[1]
        return conv2d(values, weight, bias, stride, (down // 2, across // 2), groups=groups)


def network_input(frame: Picture) -> Picture:
    """The frame as a square of `SIDE_PX`."""
    shrinks = frame.shape[0] * frame.shape[1] > SIDE_PX**2
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, (SIDE_PX, SIDE_PX), interpolation=how), np.uint8)


def _names() -> list[str]:
    blocks = [
        f"_blocks.{number}.{part}"
        for number in range(NUM_BLOCKS)
        for part in ("_expand_conv", "_depthwise_conv", "_project_conv")
    ]
    blocks.remove("_blocks.0._expand_conv")
    return ["_conv_stem", *blocks, "_conv_head", "_fc"]


_NORMALISATION = {
    "_conv_stem": "_bn0",
    "_expand_conv": "_bn0",
    "_depthwise_conv": "_bn1",
    "_project_conv": "_bn2",
    "_conv_head": "_bn1",
}


def _layer(held: dict[str, npt.NDArray[Any]], name: str) -> tuple[Array, Array]:
    """Weight and bias, the normalisation that follows included.

    `(w x - mean) / sqrt(variance + epsilon) * scale + shift`, as one product and one sum.
    """
    weight = held[f"{name}.weight"]
    if name == "_fc":
        return weight, held["_fc.bias"]
    block, _, part = name.rpartition(".")
    norm = f"{block}.{_NORMALISATION[part]}" if block else _NORMALISATION[part]
    scale, shift, mean, variance = (
        held[f"{norm}.{value}"].astype(np.float64)
        for value in ("weight", "bias", "running_mean", "running_var")
    )
    factor = scale / np.sqrt(variance + BN_EPSILON)
    folded = weight * factor[:, None, None, None]
    return folded.astype(np.float32), (shift - mean * factor).astype(np.float32)
