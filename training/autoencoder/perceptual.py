"""Distances of pictures as networks see them: LPIPS, and a stand-in from packaged weights."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from curation.models.devices import required
from curation.models.efficientnet import HALVING, EfficientNetLite0

VGG_FILE, LINEAR_FILE = "vgg16.safetensors", "lpips.safetensors"

VGG_STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""The convolutions of torchvision's VGG16 (`features.<n>`), up to each that LPIPS looks at."""

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""ImageNet's mean and standard deviation, for values in [-1, 1], as LPIPS has them."""

EPSILON = 1e-10


class PerceptualDistance(ABC):
    """How different two pictures are to a network: of no unit, 0 for the same picture."""

    def __call__(self, decoded_nchw: Tensor, original_nchw: Tensor) -> Tensor:
        """The distance of each pair, `[N]`.

        After LPIPS (Zhang et al. 2018, https://arxiv.org/abs/1801.03924, equation 1): features of
        several layers, of length 1 at each position; their squared differences, weighted by
        channel; the mean over positions, and the sum over layers.

        Args:
            decoded_nchw: in [-1, 1].
            original_nchw: the same shape.
        """
        total = torch.zeros(decoded_nchw.shape[0], device=decoded_nchw.device)
        pairs = zip(self.features(decoded_nchw), self.features(original_nchw), strict=True)
        for layer, (one, other) in enumerate(pairs):
            squares = (_of_length_1(one) - _of_length_1(other)).square()
            total = total + self.weighted(layer, squares).mean(dim=(1, 2))
        return total

    @abstractmethod
    def features(self, pictures_nchw: Tensor) -> list[Tensor]:
        """What the layers make of pictures in [-1, 1], each `[N, C', H', W']`."""

    @abstractmethod
    def weighted(self, layer: int, squares_nchw: Tensor) -> Tensor:
        """The sum over channels, `[N, H', W']`, each with its weight."""


class Lpips(PerceptualDistance):
    """LPIPS 0.1 on VGG16."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        """Loads the weights.

        Args:
            folder: `vgg16.safetensors` with the names of torchvision's VGG16, of which `features`
                are used, and `lpips.safetensors` with those of LPIPS (`lin0.model.1.weight`, …).
            device: where it computes.

        Raises:
            ValueError: a file is missing, or holds other weights.
        """
        self._vgg = _load(folder, VGG_FILE, device)
        linear = _load(folder, LINEAR_FILE, device)
        try:
            self._linear = [linear[f"lin{layer}.model.1.weight"] for layer in range(5)]
            for number in (number for stage in VGG_STAGES for number in stage):
                assert self._vgg[f"features.{number}.weight"].ndim == 4
                assert self._vgg[f"features.{number}.bias"].ndim == 1
        except KeyError as error:
            raise ValueError(f"the weights of LPIPS in {folder} lack {error}") from error
        self._shift = torch.tensor(SHIFT, device=device).view(1, 3, 1, 1)
        self._scale = torch.tensor(SCALE, device=device).view(1, 3, 1, 1)

    def features(self, pictures_nchw: Tensor) -> list[Tensor]:
        """The outputs of `relu1_2`, `relu2_2`, `relu3_3`, `relu4_3` and `relu5_3`."""
        found: list[Tensor] = []
        x = (pictures_nchw - self._shift) / self._scale
        for stage in VGG_STAGES:
            x = functional.max_pool2d(x, 2) if found else x
            for number in stage:
                weight, bias = (
                    self._vgg[f"features.{number}.{kind}"] for kind in ("weight", "bias")
                )
                x = functional.conv2d(x, weight, bias, padding=1).relu()
            found.append(x)
        return found

    def weighted(self, layer: int, squares_nchw: Tensor) -> Tensor:
        """The weighted sum over channels."""
        return functional.conv2d(squares_nchw, self._linear[layer])[:, 0]


class PackagedDistance(PerceptualDistance):
    """The formula of LPIPS on features of EfficientNet-Lite0, all channels alike.

    It stands in for LPIPS, whose weights no package carries: nobody has fitted it to what people
    see, so it is not to be compared with figures of LPIPS.
    """

    def __init__(self, weights: Path, device: torch.device) -> None:
        """Loads the weights.

        Args:
            weights: the folder of the packaged model files.
            device: where it computes.

        Raises:
            ValueError: the file is missing or damaged.
        """
        threads = torch.get_num_threads()
        self._network = _Features(weights)
        torch.set_num_threads(threads)
        self._network.move(device)

    def features(self, pictures_nchw: Tensor) -> list[Tensor]:
        """The last output at 1/2, 1/4, 1/8 and 1/16 of the size."""
        return self._network.scales((pictures_nchw * 127.5 + 0.5) / 128)

    def weighted(self, layer: int, squares_nchw: Tensor) -> Tensor:
        """The sum over channels."""
        return squares_nchw.sum(dim=1)


class _Features(EfficientNetLite0):
    """The network, asked for what it sees on the way."""

    def move(self, device: torch.device) -> None:
        self._layers = {
            name: tuple(tensor.to(device) for tensor in layer)
            for name, layer in self._layers.items()
        }

    def scales(self, values_nchw: Tensor) -> list[Tensor]:
        found: list[Tensor] = []
        x = self._convolved("_conv_stem", values_nchw, stride=2).clamp(0, 6)
        for number in range(max(HALVING)):
            if number in HALVING:
                found.append(x)
            x = self._block(f"_blocks.{number}", x, 2 if number in HALVING else 1)
        return [*found, x]


def perceptual_distance(
    folder: str | None, weights: Path, device: torch.device
) -> PerceptualDistance:
    """LPIPS from a folder, or without one the stand-in from the packaged models.

    Raises:
        ValueError: a file is missing or damaged.
    """
    if folder is None:
        return PackagedDistance(weights, device)
    return Lpips(Path(folder).expanduser(), device)


def _of_length_1(features_nchw: Tensor) -> Tensor:
    squares = features_nchw.square().sum(dim=1, keepdim=True)
    # The root's slope at 0 is infinite, and ReLU gives whole vectors of zeros.
    return features_nchw / ((squares + EPSILON**2).sqrt() + EPSILON)


def _load(folder: Path, name: str, device: torch.device) -> dict[str, Tensor]:
    path = folder / name
    if not path.is_file():
        raise ValueError(
            f"{path} is missing: `perceptual_weights` is a folder with {VGG_FILE} and {LINEAR_FILE}"
        )
    safetensors = required("safetensors.torch")
    try:
        return cast(dict[str, Tensor], safetensors.load_file(path, device=str(device)))
    except required("safetensors").SafetensorError as error:
        raise ValueError(f"{path} is no file of weights: {error}") from error
