"""The scores stage: what learned models make of a clip's stored frames; no video is decoded."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import cv2
import pyarrow as pa
from pydantic import StringConstraints, model_validator

from curation.models.aesthetic import Aesthetic, AestheticSettings
from curation.models.by_path import model_by_path
from curation.models.classifier import ClassifierSettings, ImageClassifier
from curation.models.clip_towers import ClipTowers
from curation.models.conse import Conse
from curation.models.model import FrameModel
from curation.models.openclip import OpenClip, OpenClipSettings
from curation.models.quality import Brisque
from curation.models.safety import NsfwClassifier
from curation.models.sscd import CopyDetector, Variant
from curation.models.text import TextReader
from curation.settings import Settings, fingerprint
from curation.stage import Stage
from curation.stored_clips import picture, stored_clips
from curation.tables import OK, SCORES, failed_row

ClassPath = Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")]
"""`package.module:Class`."""


class ScoresSettings(Settings):
    """Which models look at the stored frames; `null` leaves a model out, and its columns null."""

    copy_detection: Variant | None = None
    """SSCD, whose embeddings tell near-duplicates: `distilled`, or `int8` for 4 times the cost."""

    concept: Literal["conse"] | OpenClipSettings | None = None
    """What is seen, to group and to name clips by: a CLIP of open_clip, or `conse`, a stand-in for
    one."""

    aesthetic: AestheticSettings | None = None
    """LAION's aesthetic predictor, on the middle frame."""

    safety: Literal["open-nsfw"] | ClassifierSettings | None = None
    """A classifier of nudity, or any image classifier of transformers."""

    text: Literal["pp-ocrv6"] | None = None
    """Finds and reads text on screen: most of the cost of the embedded models."""

    quality: Literal["brisque"] | ClassPath | None = None
    """Technical quality, no judge of beauty: `brisque`, or a class of your own by its path
    `package.module:Class`, derived from `FrameModel`, which fills column `quality`."""

    @model_validator(mode="after")
    def _has_a_backbone(self) -> "ScoresSettings":
        if self.aesthetic and not self.aesthetic.backbone and not _clip(self):
            raise ValueError("aesthetic needs a `backbone`, or a `concept` by open_clip")
        return self

    @property
    def is_on(self) -> bool:
        """Whether any model is wanted."""
        return any(value is not None for value in self.model_dump().values())

    @property
    def is_on_gpu(self) -> bool:
        """Whether any model computes on a GPU."""
        backbone = self.aesthetic.backbone if self.aesthetic else None
        groups = (self.concept, self.safety, backbone)
        return any(getattr(group, "device", "cpu") == "cuda" for group in groups)


def _clip(settings: ScoresSettings) -> OpenClipSettings | None:
    return settings.concept if isinstance(settings.concept, OpenClipSettings) else None


INPUTS = pa.schema([("clip_id", pa.string()), ("video_id", pa.string()), ("part", pa.string())])
"""What the stage reads: the clip, and the part of table `clips` that holds its frames."""


def models(settings: ScoresSettings, weights: Path) -> list[FrameModel]:
    """The models that the settings ask for, not yet loaded.

    Args:
        settings: which.
        weights: the folder of the files that `make setup` brings.

    Raises:
        ValueError: a taxonomy or a class cannot be had, or two models fill one column.
    """
    found: list[FrameModel] = []
    if settings.copy_detection is not None:
        found.append(CopyDetector(weights, settings.copy_detection))
    if settings.concept == "conse":
        found.append(Conse(weights))
    found += _clip_models(settings)
    if isinstance(settings.safety, ClassifierSettings):
        found.append(ImageClassifier(settings.safety))
    elif settings.safety is not None:
        found.append(NsfwClassifier(weights))
    if settings.text is not None:
        found.append(TextReader(weights))
    if settings.quality == "brisque":
        found.append(Brisque(weights))
    elif settings.quality is not None:
        found.append(model_by_path(settings.quality, weights))
    owners: dict[str, str] = {}
    for model in found:
        for column in model.columns.names:
            if column in owners:
                raise ValueError(f"models {owners[column]} and {model.name} both fill {column}")
            owners[column] = model.name
    return found


def _clip_models(settings: ScoresSettings) -> list[FrameModel]:
    """The models over a CLIP; where they share it, each frame is embedded once."""
    found: list[FrameModel] = []
    towers = None
    if concept := _clip(settings):
        towers = ClipTowers(concept)
        found.append(OpenClip(concept, towers))
    if aesthetic := settings.aesthetic:
        below = ClipTowers(aesthetic.backbone) if aesthetic.backbone else towers
        assert below is not None, "the settings are checked"
        found.append(Aesthetic(aesthetic, below))
    return found


def score_inputs(candidates: pa.Table, parts: pa.Table) -> pa.Table:
    """A row of `INPUTS` for each candidate.

    Args:
        candidates: `clip_id` and `video_id` of the clips to score.
        parts: `video_id` and the `path` of the part of table `clips` that holds its row.
    """
    joined = candidates.join(parts.select(["video_id", "path"]), "video_id")
    return joined.rename_columns({"path": "part"}).select(INPUTS.names).cast(INPUTS)


class ScoresStage(Stage):
    """Runs every model over the frames of each clip, which are decoded once for them all."""

    name: ClassVar[str] = "scores"
    key: ClassVar[str] = "clip_id"
    version: ClassVar[int] = 1
    schema: ClassVar[pa.Schema] = SCORES

    def __init__(self, models: Sequence[FrameModel], clips_uri: str, upstream: str) -> None:
        """Says what to do; `setup` loads the models.

        Args:
            models: what to run.
            clips_uri: where the table `clips` lies.
            upstream: names the settings that the clips and their frames depend on.
        """
        self._models, self._clips_uri, self._upstream = models, clips_uri, upstream

    @property
    def fingerprint(self) -> str:
        """Changes with the version, with every model, and with what made the frames."""
        return fingerprint(self.name, self.version, self._names, self._upstream)

    @property
    def _names(self) -> list[str]:
        return [f"{model.name}:{model.version}" for model in self._models]

    def setup(self) -> None:
        """Loads the models."""
        # Bit-equal pictures on any machine, and no threads beside the one that the engine counts.
        cv2.setNumThreads(1)
        for model in self._models:
            model.setup()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """One row per clip: its scores, or why there are none."""
        start_s = time.process_time()
        rows: list[dict[str, Any]] = []
        failed: list[pa.Table] = []
        ids = [batch[name].to_pylist() for name in ("video_id", "clip_id")]
        stored = stored_clips(self._clips_uri, batch["part"].unique().to_pylist(), *ids)
        for row in batch.to_pylist():
            key = {name: row[name] for name in ("clip_id", "video_id")}
            clip = stored.get(row["clip_id"])
            frames = None if clip is None else [picture(one["jpeg"]) for one in clip.frames]
            if frames is None:
                problem = f"{row['part']} no longer holds its frames"
                failed.append(failed_row(SCORES, key, "changed", problem))
            elif any(frame is None for frame in frames):
                problem = "one of its stored frames is no JPEG that can be decoded"
                failed.append(failed_row(SCORES, key, "frames", problem))
            else:
                rows.append(key | {"frames": frames})
        scored, refused = self._scored(rows)
        share_s = (time.process_time() - start_s) / max(1, batch.num_rows)
        done = [row | {"models": self._names, "status": OK, "cpu_s": share_s} for row in scored]
        return pa.concat_tables([pa.Table.from_pylist(done, schema=SCORES), *failed, *refused])

    def _scored(self, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[pa.Table]]:
        """The rows with their scores, and those that a model has no answer for."""
        try:
            scores: list[dict[str, Any]] = [{} for _ in rows]
            for model in self._models:
                answers = model([row["frames"] for row in rows])
                scores = [old | new for old, new in zip(scores, answers, strict=True)]
        except ValueError as error:
            if len(rows) == 1:
                key = {name: rows[0][name] for name in ("clip_id", "video_id")}
                return [], [failed_row(SCORES, key, "model", str(error))]
            each = [self._scored([row]) for row in rows]
            return [row for done, _ in each for row in done], [t for _, bad in each for t in bad]
        ids = [{name: row[name] for name in ("clip_id", "video_id")} for row in rows]
        return [key | score for key, score in zip(ids, scores, strict=True)], []
