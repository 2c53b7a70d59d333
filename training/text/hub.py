"""The files of text encoders of transformers and open_clip, in a folder or of a hub."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curation.models.hub import ModelFiles
from training.text.settings import TextEncoderSettings

CONFIG, WEIGHTS = "config.json", "model.safetensors"
TOKENIZER = (
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
)
"""Of these, each family has its own few."""

OPEN_CLIP_CONFIG, OPEN_CLIP_WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"


def model_files(settings: TextEncoderSettings) -> ModelFiles:
    """The files of a `t5`, `clip` or `open_clip`."""
    assert settings.path is not None
    if settings.kind == "open_clip":
        names = (OPEN_CLIP_CONFIG, OPEN_CLIP_WEIGHTS)
        return ModelFiles(settings.path, settings.revision, names)
    return ModelFiles(
        settings.path, settings.revision, (CONFIG,), optional=TOKENIZER, weights=WEIGHTS
    )


def weights_version(files: ModelFiles) -> str:
    """Names the weights.

    Raises:
        ValueError: they are in a folder, and one of them is missing.
    """
    found = files.version
    if found == "missing":
        files.folder()
        raise ValueError(f"the files of {files.place} could not be read")
    return found


def read_config(settings: TextEncoderSettings, name: str) -> tuple[Path, dict[str, Any]]:
    """The configuration and its path; the weights may be missing.

    Args:
        settings: which model.
        name: of the configuration's file.

    Raises:
        ValueError: it is missing, or is no JSON.
    """
    assert settings.path is not None
    path = ModelFiles(settings.path, settings.revision, (name,)).folder() / name
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no configuration of a model: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path} is no configuration of a model")
    return path, config


def group(path: Path, config: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A group within the configuration of a CLIP.

    Raises:
        ValueError: it has none of this name.
    """
    found = config.get(key)
    if not isinstance(found, dict):
        raise ValueError(f"{path} is no configuration of a CLIP: {key} is {found!r}")
    return found


def number(path: Path, config: Mapping[str, Any], key: str, default: int) -> int:
    """A positive number, which configurations leave out where it is the default.

    Raises:
        ValueError: it is something else.
    """
    found = config.get(key, default)
    if type(found) is not int or found < 1:
        raise ValueError(f"{path}: {key} is {found!r}, not a positive number")
    return found
