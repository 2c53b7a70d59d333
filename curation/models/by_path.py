"""Models that a recipe names by class path, out of packages of its author's own."""

import importlib
from pathlib import Path

from curation.models.model import FrameModel
from curation.tables import SCORES, STATE

OWN = {"clip_id", "video_id", "models", *(field.name for field in STATE)}
"""Columns that no model fills."""


def model_by_path(path: str, weights: Path) -> FrameModel:
    """An instance of the class, checked as far as it can be without its weights.

    The module is imported, so whoever names one runs its code.

    Args:
        path: `package.module:Class`, importable on the driver and on every worker.
        weights: the folder that the class is constructed with, as every model is.

    Raises:
        ValueError: there is no such class, it is no `FrameModel`, or it fills columns that table
            `scores` has not.
    """
    module, _, name = path.partition(":")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{path} cannot be imported: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, FrameModel)):
        raise ValueError(f"{path} is no class derived from curation.models.model.FrameModel")
    try:
        model = kind(weights)
        columns = model.columns
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{path} does not do what a FrameModel does: {error}") from error
    for field in columns:
        free = field.name in SCORES.names and field.name not in OWN
        if not free or not SCORES.field(field.name).equals(field):
            raise ValueError(
                f"{path} fills {field.name} ({field.type}), which is no column of table `scores` "
                "for a model; `quality` (float) is there for technical quality of any kind"
            )
    return model
