"""The files of an autoencoder that was trained here: its weights, and what describes them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from curation.models.devices import required
from curation.storage import write_whole
from training.autoencoder.settings import TaeArchitecture
from training.autoencoder.tae import Tae

WEIGHTS, DESCRIPTION = "autoencoder.safetensors", "autoencoder.json"

FORMAT = 1
"""Of the two files; another number means that the network computes something else."""


def read_description(folder: Path) -> dict[str, Any]:
    """What `autoencoder.json` says: format, architecture, mean, std, weights_sha256 and more.

    Raises:
        ValueError: it is damaged, or of another format.
    """
    path = folder / DESCRIPTION
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']}, and this version reads {FORMAT}")
        shape = TaeArchitecture.model_validate(found["architecture"])
        for key in ("mean", "std"):
            values = found[key]
            if len(values) != shape.latent_channels or not all(
                isinstance(v, float) for v in values
            ):
                raise ValueError(f"{key} is not a number for each of the latent channels")
        if min(found["std"]) <= 0 or not isinstance(found["weights_sha256"], str):
            raise ValueError("std or weights_sha256 is none")
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise ValueError(f"{path} describes no autoencoder: {error!r}") from error
    return dict(found)


def check_weights(folder: Path, description: Mapping[str, Any]) -> None:
    """Checks that the weights are those that the description is of.

    Raises:
        ValueError: they are missing, cut short, or of another training.
    """
    path = folder / WEIGHTS
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if digest != description["weights_sha256"]:
        raise ValueError(
            f"{path} is not the file that {DESCRIPTION} beside it describes: copy both anew from "
            "where they were trained, or train again in another folder"
        )


def read_weights(
    folder: Path, description: Mapping[str, Any], architecture: TaeArchitecture
) -> Tae:
    """The network with the weights of `autoencoder.safetensors`.

    Raises:
        ValueError: the file is missing, cut off, or not the one that was described.
    """
    check_weights(folder, description)
    path = folder / WEIGHTS
    safetensors = required("safetensors")
    try:
        content = path.read_bytes()
        held = required("safetensors.torch").load(content)
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"{path} is no whole file of weights: {error}") from error
    model = Tae(architecture)
    try:
        model.load_state_dict(held)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit {DESCRIPTION} beside it: {error}") from error
    return model


def write_autoencoder(
    folder: Path,
    weights: Mapping[str, Tensor],
    architecture: TaeArchitecture,
    mean: list[float],
    std: list[float],
    notes: Mapping[str, Any],
) -> None:
    """Writes both files, each whole or not at all.

    Args:
        folder: where to, made if need be.
        weights: of `Tae`, by name.
        architecture: its shape.
        mean: of each latent channel.
        std: of each latent channel.
        notes: what else to remember, such as versions and quality, as JSON.
    """
    content = required("safetensors.torch").save(
        {name: tensor.detach().float().cpu().contiguous() for name, tensor in weights.items()}
    )
    described = {
        "format": FORMAT,
        "architecture": architecture.model_dump(mode="json"),
        "mean": mean,
        "std": std,
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        **notes,
    }
    text = json.dumps(described, indent=2, allow_nan=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / WEIGHTS, content)
    write_whole(folder / DESCRIPTION, text.encode())
