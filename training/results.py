"""What a finished stage leaves: weights, and what must be known to use them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from curation.storage import written_whole
from training.checkpoint import unwritable
from training.errors import CheckpointError
from training.settings import PositionSettings
from training.text.spec import TextSpec
from training.transformer import Shape, Transformer


@dataclass(frozen=True)
class ModelCard:
    """What a transformer is built from."""

    shape: Shape
    latent_channels: int
    positions: PositionSettings
    text: tuple[TextSpec, ...]
    versions: tuple[str, ...]
    """Of the autoencoder whose latents it makes, then of its text encoders."""

    def build(self) -> Transformer:
        """A transformer of this kind, its weights not set yet."""
        return Transformer(self.shape, self.latent_channels, self.positions, self.text)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "shape": asdict(self.shape),
            "latent_channels": self.latent_channels,
            "positions": self.positions.model_dump(mode="json"),
            "text": [asdict(spec) for spec in self.text],
            "versions": list(self.versions),
        }


def card_of(plain: Mapping[str, Any]) -> ModelCard:
    """From `plain`.

    Raises:
        ValueError: it is no such card.
    """
    try:
        return ModelCard(
            Shape(**plain["shape"]),
            int(plain["latent_channels"]),
            PositionSettings.model_validate(plain["positions"]),
            tuple(TextSpec(**spec) for spec in plain["text"]),
            tuple(plain["versions"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"it says of no transformer what it is: {error!r}") from error


def write_result(path: Path, weights: Mapping[str, torch.Tensor], card: ModelCard) -> None:
    """Writes weights and card into one file, which is there whole or not at all.

    Raises:
        CheckpointError: it cannot be written.
    """
    tensors = {name: one.detach().cpu().contiguous() for name, one in weights.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as aside:
            save_file(tensors, aside, metadata={"moviola": json.dumps(card.plain())})
    except (OSError, SafetensorError) as error:
        raise CheckpointError(unwritable(f"the model {path}", path, error)) from error


def read_result(path: Path) -> tuple[dict[str, torch.Tensor], ModelCard]:
    """The weights and the card of a file.

    Raises:
        ValueError: it is missing, broken, or not from Moviola.
    """
    try:
        weights = load_file(path)
        card = card_of(json.loads(_metadata(path)["moviola"]))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no model of Moviola: {error}") from error
    return weights, card


def is_whole(path: Path) -> bool:
    """Whether there is a model, and none that was cut short; only its head is read."""
    try:
        return "moviola" in _metadata(path)
    except (OSError, SafetensorError):
        return False


def _metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        found: dict[str, str] = file.metadata() or {}
    return found


def averaged(weights: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of several models' weights, in float32 (Movie Gen, section 3.2.4, after Llama 3).

    Raises:
        ValueError: they are not of the same names and shapes.
    """
    first, *others = weights
    mean = {name: one.float().clone() for name, one in first.items()}
    for number, other in enumerate(others, start=2):
        shapes = [
            {name: tuple(one.shape) for name, one in model.items()} for model in (mean, other)
        ]
        if shapes[0] != shapes[1]:
            different = sorted(
                name
                for name in shapes[0].keys() | shapes[1].keys()
                if shapes[0].get(name) != shapes[1].get(name)
            )
            raise ValueError(
                f"model {number} is not of the kind of the first: {', '.join(different[:5])}"
            )
        for name, one in other.items():
            mean[name] += (one.float() - mean[name]) / number
    return mean


def average_files(paths: Sequence[Path], into: Path) -> None:
    """Writes the mean of the weights of several files, such as of fine-tuning runs that differ.

    Raises:
        ValueError: a file is no model, or they are not of one kind.
    """
    models = [read_result(path) for path in paths]
    for path, (_, card) in zip(paths, models, strict=True):
        if card != models[0][1]:
            raise ValueError(
                f"{path} is a model of another shape, of other text encoders or of another "
                f"autoencoder than {paths[0]}"
            )
    write_result(into, averaged([weights for weights, _ in models]), models[0][1])
