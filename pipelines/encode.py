"""The way from shards to latents: the subsets that a training recipe reads, encoded."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.settings import fingerprint
from curation.tables import OK
from curation.views import LATENTS, SHARDS
from pipelines.assets import cache_folder
from pipelines.engine import plan_stage, run_stage
from pipelines.plan import Plan
from pipelines.progress import StageSummary
from pipelines.queries import table_names
from pipelines.run import EngineSettings, Run, StageResources
from pipelines.training_recipe import encoded_subsets
from pipelines.workspace import Workspace, storage_errors
from training.encode import SAMPLES, LatentsStage, latent_inputs
from training.settings import LatentsSettings, TrainingRecipe

logger = logging.getLogger(__name__)


@dataclass
class Encoding:
    """One training recipe at work on the shards of one workspace.

    Attributes:
        summaries: what was done so far, subset by subset.
    """

    recipe: TrainingRecipe
    workspace: Workspace
    run: Run
    on_progress: Callable[[StageSummary], None] = lambda summary: None
    limit: int | None = None
    retry_failed: bool = False
    summaries: list[StageSummary] = field(default_factory=list)

    def all(self) -> None:
        """Brings the latents of every subset that the recipe's stages read up to its shards.

        Raises:
            ValueError: a subset has no shards, or a model cannot be had; nothing was done.
            ValueError, StageError, StorageError, Interrupted: as `run_stage`.
        """
        work = [*_work(self.recipe, self.workspace)]
        settings = self.recipe.encoding
        resources = StageResources(
            num_cpus=settings.num_cpus,
            num_gpus=settings.num_gpus,
            concurrency=settings.concurrency,
            batch_size=settings.batch_size,
        )
        for subset, stage, inputs in work:
            summary = run_stage(
                stage,
                inputs,
                self.workspace.table(LATENTS + subset),
                self.run,
                resources,
                self.on_progress,
                limit=self.limit,
                retry_failed=self.retry_failed,
            )
            self.summaries.append(summary)


def encoding_run(recipe: TrainingRecipe, workspace: Workspace, command: str) -> Run:
    """The run of an encoding; its commits refer to what the recipe says of it, and no more."""
    of_autoencoder = {"autoencoder": {"kind", "folder", "revision", "tiling"}}
    kept: dict[str, Any] = {"text": True, "latents": True, "encoding": {"precision"}}
    said = recipe.model_dump(mode="json", include=of_autoencoder | kept)
    settings = EngineSettings(runner=recipe.encoding.runner)
    return Run(workspace, settings, command=command, recipe=said, recipe_hash=fingerprint(said))


def plans(
    recipe: TrainingRecipe,
    workspace: Workspace,
    limit: int | None = None,
    retry_failed: bool = False,
) -> Iterator[Plan]:
    """What `Encoding.all` would do, subset by subset; nothing is changed.

    Raises:
        ValueError: as `Encoding.all`.
    """
    for subset, stage, inputs in _work(recipe, workspace):
        table = workspace.table(LATENTS + subset)
        yield plan_stage(stage, inputs, table, limit=limit, retry_failed=retry_failed)


def _work(
    recipe: TrainingRecipe, workspace: Workspace
) -> Iterator[tuple[str, LatentsStage, pa.Table]]:
    check_subsets(recipe, workspace)
    for subset in encoded_subsets(recipe):
        inputs = latents_inputs(recipe, workspace, subset)
        if not inputs.num_rows:
            logger.warning("%s%s holds no sample", SHARDS, subset)
        yield subset, latents_stage(recipe, workspace, subset), inputs


def check_subsets(recipe: TrainingRecipe, workspace: Workspace) -> None:
    """Refuses a recipe that reads latents of a subset that a workspace has no samples of.

    Raises:
        ValueError: it says what there is instead; or it is no workspace, or nothing is to encode.
        StorageError: the storage cannot be read.
    """
    subsets = encoded_subsets(recipe)
    names = table_names(workspace)
    for subset, key in subsets.items():
        if SHARDS + subset not in names:
            there = [name.removeprefix(SHARDS) for name in names if name.startswith(SHARDS)]
            raise ValueError(
                f"{workspace.uri} has no {SHARDS}{subset}, which {key} names; the subsets there "
                f"are {', '.join(there) or 'none: run `moviola curate` first'}"
            )


def latents_stage(recipe: TrainingRecipe, workspace: Workspace, subset: str) -> LatentsStage:
    """The latents stage of a subset as the recipe wants it; its fingerprint is `encoder_hash`.

    Raises:
        ValueError: the files of a model are missing.
    """
    # They import PyTorch, which takes seconds, and most commands need none.
    from training.autoencoder.coder import autoencoder
    from training.text.encoders import text_encoders

    return LatentsStage(
        recipe.latents.get(subset, LatentsSettings()),
        autoencoder(recipe.autoencoder),
        text_encoders(recipe.text, cache_folder() / "models"),
        workspace.table(SHARDS + subset).uri,
        "cuda" if recipe.encoding.num_gpus else "cpu",
        recipe.encoding.precision,
    )


def latents_inputs(recipe: TrainingRecipe, workspace: Workspace, subset: str) -> pa.Table:
    """The rows that the latents stage of a subset takes: its samples that are `ok`.

    Raises:
        ValueError: the shards lack a column of this version.
        StorageError: they cannot be read.
    """
    table = workspace.table(SHARDS + subset)
    with storage_errors(table.uri):
        dataset = table.dataset()
        if missing := [name for name in SAMPLES if name not in dataset.schema.names]:
            raise ValueError(
                f"{table.uri} has no column {', '.join(missing)}: an earlier version of Moviola "
                "made it. Run `moviola curate` on the workspace again."
            )
        rows = dataset.to_table([*SAMPLES, "__filename"], filter=pc.field("status") == OK)
    samples = rows.rename_columns([*SAMPLES, "part"])
    return latent_inputs(samples, recipe.latents.get(subset, LatentsSettings()))
