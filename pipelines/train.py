"""A training recipe at work: tables of a workspace to stages, one after the other, in a run folder.

The same for one CPU and one GPU, by whatever starts it: `train` is a plain function.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import torch

from curation.tables import OK
from curation.views import LATENTS, SHARDS
from pipelines.encode import latents_stage
from pipelines.generation import (
    Format,
    Generator,
    Sampler,
    load_encoders,
    nearest_aspect,
    versions_of,
)
from pipelines.queries import parts_of
from pipelines.workspace import Table, Workspace, storage_errors
from training.acceleration import accelerate, device_of
from training.autoencoder.coder import Autoencoder, autoencoder
from training.data.held_out import held_out_batches
from training.data.index import SampleIndex, read_index
from training.data.latent_reader import LatentReader
from training.data.loader import Loader
from training.data.readers import Reader
from training.data.shard_reader import LatentsOfShards, ShardReader
from training.flops import measured_matmul_peak, peak
from training.generate import VideoShape
from training.loop import StageWork, train_stage
from training.metrics import read_metrics
from training.pixels import bucket_size, taken_frames
from training.results import ModelCard
from training.run_folder import RunFolder, write_json
from training.settings import LatentsSettings, MachineSettings, StageSettings, TrainingRecipe
from training.stages import finish, first_state
from training.state import TrainingState
from training.step import StepReport
from training.text.encoders import TextEncoder, text_encoders
from training.transformer import shape_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Data:
    """The samples of a stage, and which versions of the tables they come from."""

    index: SampleIndex
    reader: Reader
    versions: dict[str, Any]
    form: Format
    """Of most samples."""


@dataclass(frozen=True)
class Training:
    """One training recipe at work on one workspace, in one run folder."""

    recipe: TrainingRecipe
    workspace: Workspace
    run: RunFolder

    weights: Path
    """The folder of the packaged models' files."""

    on_step: Callable[[str, StepReport], None] = lambda stage, report: None

    def all(self, only: str | None = None) -> list[Path]:
        """Trains every stage that is not finished, and returns the results of all of them.

        Args:
            only: one stage; those before it must be finished.

        Raises:
            ValueError: tables, encoders or run folder are not as the recipe needs them.
            TrainingError, CheckpointError, StorageError, KeyboardInterrupt: what was done until the
                last checkpoint is kept, and the same call goes on from there.
        """
        recipe = self.recipe
        if only is not None and only not in recipe.stages:
            raise ValueError(f"the recipe has no stage {only!r}: {', '.join(recipe.stages)}")
        device = device_of(recipe.machine)
        coder, encoders = autoencoder(recipe.autoencoder), text_encoders(recipe.text, self.weights)
        card = ModelCard(
            shape_of(recipe.transformer),
            coder.latent_channels,
            next(iter(recipe.stages.values())).positions,
            tuple(encoder.spec for encoder in encoders),
            versions_of(coder, encoders),
        )
        names = [only] if only else [*recipe.stages]
        with self.run.opened(recipe):
            for name in names:
                if self.run.result(name).is_file():
                    logger.info("%s: finished already (%s)", name, self.run.result(name))
                    continue
                self._stage(name, card, coder, encoders, device)
        return [self.run.result(name) for name in names]

    def _stage(
        self,
        name: str,
        card: ModelCard,
        coder: Autoencoder,
        encoders: Sequence[TextEncoder],
        device: torch.device,
    ) -> None:
        recipe, stage = self.recipe, self.recipe.stages[name]
        data = self._data(name, card, coder, encoders)
        state, is_fresh = first_state(self.run, recipe, name, card, device)
        accelerate(state.model, recipe.machine)
        folder = self.run.stage(name)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "data.json", data.versions)
        say_what_is_trained_on(name, data.index, stage.data.image_share)

        prefetch = recipe.machine.prefetch
        loader = Loader(data.reader, stage.data, stage.times, card.text, recipe.seed, prefetch)
        work = StageWork(
            name,
            recipe,
            folder,
            card,
            lambda state: loader.batches(state.data),
            lambda: held_out_batches(data.reader, stage.data, recipe.evaluation, card.text),
            self._sampler(state, coder, encoders, data.form),
            begins_at_zero=is_fresh,
            peak_flops=device_peak(device, recipe.machine),
        )
        for report in train_stage(work, state):
            self.on_step(name, report)
        path = finish(self.run, recipe, name, card)
        lines = read_metrics(folder, "train")
        logger.info(
            "%s: loss %.3f at step %d, %.3f at step %d; white Gaussian latents would allow %.3f",
            name, lines[0]["loss"], lines[0]["step"], lines[-1]["loss"], lines[-1]["step"],
            lines[-1]["floor_gaussian"],
        )  # fmt: skip
        logger.info("%s: finished, its model is %s", name, path)

    def _sampler(
        self,
        state: TrainingState,
        coder: Autoencoder,
        encoders: Sequence[TextEncoder],
        form: Format,
    ) -> Sampler | None:
        recipe = self.recipe
        if not recipe.samples.prompts:
            return None
        load_encoders(recipe.machine, coder, encoders)
        made = Generator(state.model, coder, encoders, recipe.generation, recipe.machine)
        return Sampler(made, recipe, form)

    def _data(
        self, name: str, card: ModelCard, coder: Autoencoder, encoders: Sequence[TextEncoder]
    ) -> Data:
        recipe, stage = self.recipe, self.recipe.stages[name]
        subset, source = stage.data.subset, stage.data.source
        kind = LATENTS if source == "latents" else SHARDS
        table = self.workspace.table(kind + subset)
        if not table.exists():
            there = [one.removeprefix(kind) for one in parts_of(self.workspace, kind)]
            does = "`moviola encode` with this recipe" if kind == LATENTS else "`moviola curate`"
            raise ValueError(
                f"{self.workspace.uri} has no {table.name}, which stages.{name}.data names; of "
                f"{kind} there is {', '.join(there) or 'nothing'}. {does} makes it"
            )
        settings = recipe.latents.get(subset, LatentsSettings())
        before = _json(self.run.stage(name) / "data.json")
        versions = before.get("versions", {})
        selection, selection_version = _selection(self.workspace, versions)
        version = versions.get(table.name, table.delta().version())
        with storage_errors(table.uri):
            dataset = table.dataset(version)
        expected = None
        if source == "latents":
            expected = latents_stage(recipe, self.workspace, subset).fingerprint
        index = read_index(
            dataset,
            selection,
            stage.data,
            stage.positions,
            expected,
            None if source == "latents" else LatentsOfShards(settings, coder),
        )
        if source == "latents":
            reader: Reader = LatentReader(index, card.text)
        else:
            load_encoders(recipe.machine, coder, encoders)
            reader = ShardReader(index, settings, coder, encoders)
        form = typical_form(dataset, stage, settings)
        said = {
            "workspace": self.workspace.uri,
            "versions": {table.name: version, "selection": selection_version},
            "encoder_hash": expected,
            "num_samples": len(index),
            "typical": {
                "num_frames": form.shape.num_frames,
                "height": form.shape.height,
                "width": form.shape.width,
                "fps": form.fps,
            },
        }
        return Data(index, reader, said, form)


def _json(path: Path) -> dict[str, Any]:
    """What a file of JSON holds; nothing where there is none."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def _selection(
    workspace: Workspace, versions: dict[str, Any]
) -> tuple[pa.Table | None, int | None]:
    """Weights and concepts, where the workspace has them, and their version."""
    table: Table = workspace.table("selection")
    if not table.exists():
        return None, None
    version = versions.get("selection")
    if version is None:
        version = table.delta().version()
    with storage_errors(table.uri):
        return table.dataset(version).to_table(), version


def typical_form(dataset: ds.Dataset, stage: StageSettings, settings: LatentsSettings) -> Format:
    """The form of most of the samples, as pixels; of a stage on images alone, that of an image.

    Args:
        dataset: the rows of `latents/<subset>` or `shards/<subset>`.
        stage: which of the two, and whether it sees clips.
        settings: how shards become latents.
    """
    rows = dataset.to_table(
        ["num_frames", "width", "height", "fps"], filter=pc.field("status") == OK
    )
    shapes = Counter(zip(*(rows[name].to_pylist() for name in rows.column_names[:3]), strict=True))
    [((num_frames, width, height), _)] = shapes.most_common(1)
    fps = pc.approximate_median(rows["fps"]).as_py()
    if stage.data.source == "shards":
        num_frames = len(taken_frames(num_frames, settings))
        fps = fps and fps / settings.frame_stride
        if settings.base_px is not None:
            width, height = bucket_size(
                nearest_aspect(width, height), width, height, settings.base_px
            )
    if stage.data.image_share == 1 or num_frames == 1:
        return Format(VideoShape(1, height, width), None)
    return Format(VideoShape(num_frames, height, width), fps)


def say_what_is_trained_on(name: str, index: SampleIndex, image_share: float) -> None:
    """One line in the log: how many samples, in which buckets, held out, left out."""
    counts = Counter(index.buckets[one].name for one in index.bucket.tolist())
    buckets = ", ".join(f"{count:,} of {bucket}" for bucket, count in counts.most_common(6))
    images = int(index.is_image.sum()) if image_share == 0 else 0
    unseen = f"; {images:,} images are not trained on, as image_share is 0" if images else ""
    left = f"; {index.num_unselected:,} are no longer selected" if index.num_unselected else ""
    logger.info(
        "%s: %s samples (%s), %s of them held out%s",
        name, f"{len(index):,}", buckets, f"{int(index.held_out.sum()):,}", left + unseen,
    )  # fmt: skip


def device_peak(device: torch.device, settings: MachineSettings) -> float | None:
    """Operations per second that the device could do; of a CPU they are measured."""
    if device.type == "cuda":
        return peak(torch.cuda.get_device_name(device), settings.precision)
    dtype = torch.bfloat16 if settings.precision == "bfloat16" else torch.float32
    return measured_matmul_peak(device, dtype)
