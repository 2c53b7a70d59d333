"""What a stage is trained on: tables of a workspace as an index and a reader."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.views import SHARDS
from pipelines.encoders import Encoders
from pipelines.training_tables import StageTables
from pipelines.video_format import Format, format_of_samples
from pipelines.workspace import Workspace
from training.data.index import SampleIndex, read_index
from training.data.latent_reader import LatentReader
from training.data.readers import Reader
from training.data.shard_reader import LatentsOfShards, ShardReader
from training.encode import LatentsStage
from training.run_folder import RunFolder
from training.settings import LatentsSettings, TrainingRecipe

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Data:
    """The samples of a stage, and which versions of the tables they come from."""

    index: SampleIndex
    reader: Reader
    form: Format
    """Of most samples."""

    said: Mapping[str, Any]
    """What `data.json` says of it."""


@dataclass(frozen=True)
class StageData:
    """Finds the data of one stage."""

    recipe: TrainingRecipe
    name: str
    workspace: Workspace
    run: RunFolder
    encoders: Encoders

    def read(self) -> Data:
        """The samples as they were when the stage began, or are now, if it is to begin.

        Raises:
            ValueError: there are none, they do not fit the stage, or they or the encoders are not
                those that it began with and those are gone.
            StorageError: a table cannot be read.
        """
        stage, encoders = self.recipe.stages[self.name], self.encoders
        of_latents = stage.data.source == "latents"
        settings = self.recipe.latents.get(stage.data.subset, LatentsSettings())
        expected = self._encoder_hash(settings) if of_latents else None
        tables = StageTables(self.name, stage.data, self.workspace, self.run).read(
            encoders.versions, expected
        )
        index = read_index(
            tables.samples,
            tables.selection,
            stage.data,
            stage.positions,
            expected,
            None if of_latents else LatentsOfShards(settings, encoders.autoencoder),
        )
        if of_latents:
            reader: Reader = LatentReader(index, encoders.specs)
        else:
            encoders.load()
            reader = ShardReader(index, settings, encoders.autoencoder, encoders.texts)
        form = format_of_samples(tables.samples, stage, settings)
        said = {
            "workspace": self.workspace.uri,
            "versions": dict(tables.versions),
            "encoders": encoders.versions,
            "encoder_hash": expected,
            "num_samples": len(index),
            "typical": form.plain(),
        }
        return Data(index, reader, form, said)

    def _encoder_hash(self, settings: LatentsSettings) -> str:
        """What latents have that `moviola encode` would make now, by the models that are here."""
        stage = LatentsStage(
            settings,
            self.encoders.autoencoder,
            self.encoders.texts,
            self.workspace.table(SHARDS + self.recipe.stages[self.name].data.subset).uri,
            precision=self.recipe.encoding.precision,
        )
        return stage.fingerprint


def say_what_is_trained_on(name: str, index: SampleIndex, image_share: float) -> None:
    """One line in the log: how many clips and images, in which buckets, held out, left out."""
    rows = index.training_rows
    parts = []
    if image_share < 1:
        clips = index.clips(rows)
        parts.append(f"{len(clips):,} clips ({_counts(index, index.bucket[clips])})")
    if image_share > 0:
        images = index.images(rows)
        parts.append(f"{len(images):,} images ({_counts(index, index.image_bucket[images])})")
    unseen = int(index.is_image.sum()) if image_share == 0 else 0
    held_out = int(index.held_out.sum())
    left = f"; {unseen:,} images are not trained on, as image_share is 0" if unseen else ""
    if index.num_unselected:
        left += f"; {index.num_unselected:,} are no longer selected"
    logger.info(
        "%s: trains on %s; %s of %s samples are held out%s",
        name, " and ".join(parts), f"{held_out:,}", f"{len(index):,}", left,
    )  # fmt: skip


def _counts(index: SampleIndex, buckets: npt.NDArray[np.int64]) -> str:
    """The largest of the buckets."""
    counts = Counter(index.buckets[one].name for one in buckets.tolist())
    return ", ".join(f"{count:,} of {bucket}" for bucket, count in counts.most_common(6))
