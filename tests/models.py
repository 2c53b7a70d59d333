"""The weights of the embedded models, fetched once into the user's cache."""

import functools
from pathlib import Path

from pipelines.assets import cache_folder, fetch


@functools.cache
def weights() -> Path:
    """The folder of the set `models`."""
    folder = cache_folder() / "models"
    fetch("models", folder)
    return folder
