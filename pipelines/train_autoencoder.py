"""`moviola train-tae`: the autoencoder of a training recipe, on the shards of a workspace."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from curation.views import SHARDS
from pipelines.gpu_memory import enough_gpu_memory
from pipelines.queries import parts_of
from pipelines.workspace import Workspace, storage_errors
from training.acceleration import device_of
from training.autoencoder.fit import fit
from training.autoencoder.shard_clips import ShardClips
from training.settings import TrainingRecipe

logger = logging.getLogger(__name__)


def train_autoencoder(
    recipe: TrainingRecipe,
    workspace: Workspace,
    weights: Path,
    on_log: Callable[[Mapping[str, Any]], None] = lambda line: None,
) -> dict[str, Any]:
    """Trains it into `autoencoder.folder`, or goes on with it, and returns its description.

    Args:
        recipe: whose `autoencoder` it is.
        workspace: where the shards are.
        weights: the folder of the packaged models' files.
        on_log: gets each line of metrics.

    Raises:
        ValueError: it is none of ours to train, or there is nothing to train it on.
        StorageError, CheckpointError, TrainingError, KeyboardInterrupt: as `fit`.
    """
    settings = recipe.autoencoder
    if settings.kind != "tae":
        raise ValueError(f"autoencoder.kind is {settings.kind}, which is not trained here")
    table = workspace.table(SHARDS + settings.fit.subset)
    if not table.exists():
        there = ", ".join(name.removeprefix(SHARDS) for name in parts_of(workspace, SHARDS))
        raise ValueError(
            f"{workspace.uri} has no {table.name}, which autoencoder.fit.subset names; the subsets "
            f"there are {there or 'none: run `moviola curate` first'}"
        )
    device_of(recipe.machine)
    with storage_errors(table.uri):
        clips = ShardClips(table.dataset())
    logger.info("training the autoencoder on %s: %d clips", table.name, len(clips.clip_ids))
    lower = "lower autoencoder.fit.batch_size, size_px or num_frames"
    with enough_gpu_memory(lower):
        return fit(
            settings,
            recipe.seed,
            clips,
            Path(settings.folder),
            device=recipe.machine.device,
            precision=recipe.machine.precision,
            weights=weights,
            on_log=on_log,
        )
