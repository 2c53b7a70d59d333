"""Safety by any image classifier of transformers."""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, PositiveInt

from curation.media.rendering import Picture
from curation.models.devices import Device, Precision, ready, required
from curation.models.hub import ModelFiles
from curation.models.model import FrameModel, check_finite, score_columns, split
from curation.settings import Settings

FILES = ("config.json", "preprocessor_config.json", "model.safetensors")


class ClassifierSettings(Settings):
    """An image classifier of transformers."""

    transformers: str
    """A folder, or with `revision` the id of a repository, that holds `config.json`,
    `preprocessor_config.json` and `model.safetensors`."""

    revision: str | None = None
    """The commit of the repository, 40 hex digits."""

    unsafe: tuple[str, ...] = Field(min_length=1)
    """The classes that are not wanted, as `id2label` in `config.json` calls them."""

    device: Device = "cpu"
    """On `cuda`, each worker needs a share of a GPU: `engine.stages.scores.num_gpus`."""

    dtype: Precision = "float32"
    """Half precision is for GPUs."""

    batch_size: PositiveInt = 32
    """Frames at a time."""


class ImageClassifier(FrameModel):
    """The probability that the worst frame of a clip is of one of the unwanted classes.

    Where the classes exclude one another their probabilities are added; where each is a yes or no
    of its own (`multi_label_classification`), the highest counts.
    """

    name: ClassVar[str] = "image-classifier"
    columns: ClassVar[pa.Schema] = score_columns("nsfw")

    def __init__(self, settings: ClassifierSettings) -> None:
        """Remembers what to load.

        Args:
            settings: which model, and which of its classes count.
        """
        self._settings = settings
        self._files = ModelFiles(settings.transformers, settings.revision, FILES)
        classes = "+".join(sorted(settings.unsafe))
        self.version = f"{self._files.version}-{settings.dtype}-{classes}-1"

    def sources(self) -> list[ModelFiles]:
        """The files of the model."""
        return [self._files]

    def check(self) -> None:
        """Refuses missing files, and classes that the model does not know."""
        super().check()
        self._indices()

    def setup(self) -> None:
        """Loads the model."""
        folder, device = self._files.folder(), ready(self._settings.device)
        torch, transformers = required("torch"), required("transformers")
        here = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._prepare = transformers.AutoImageProcessor.from_pretrained(folder, **here)
            model = transformers.AutoModelForImageClassification.from_pretrained(
                folder, use_safetensors=True, **here
            )
        except (OSError, RuntimeError, KeyError) as error:
            raise ValueError(f"transformers cannot load {folder}: {error}") from error
        self._dtype = getattr(torch, self._settings.dtype)
        self._model = model.eval().to(device, self._dtype)
        self._unsafe = self._indices()

    def __call__(self, clips: Sequence[Sequence[Picture]]) -> list[dict[str, Any]]:
        """The score of each clip; null for a clip without frames."""
        rows = []
        for index, scores in enumerate(split(clips, self._scores)):
            check_finite(self.name, index, scores)
            rows.append({"nsfw": float(scores.max()) if len(scores) else None})
        return rows

    def _scores(self, frames: Sequence[Picture]) -> npt.NDArray[np.float32]:
        """`[N]`, 0 to 1."""
        from PIL import Image

        torch, size = required("torch"), self._settings.batch_size
        several = self._model.config.problem_type == "multi_label_classification"
        found = []
        with torch.inference_mode():
            for start in range(0, len(frames), size):
                pictures = [Image.fromarray(frame) for frame in frames[start : start + size]]
                pixels = self._prepare(images=pictures, return_tensors="pt")["pixel_values"]
                logits = self._model(pixels.to(self._settings.device, self._dtype)).logits.float()
                unsafe = (logits.sigmoid() if several else logits.softmax(-1))[:, self._unsafe]
                found.append((unsafe.amax(-1) if several else unsafe.sum(-1)).cpu().numpy())
        return np.concatenate(found)

    def _indices(self) -> list[int]:
        path = self._files.folder() / FILES[0]
        try:
            labels = json.loads(path.read_text(encoding="utf-8"))["id2label"]
            indices = {label: int(index) for index, label in labels.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no configuration of a classifier: {error!r}") from error
        for label in self._settings.unsafe:
            if label not in indices:
                raise ValueError(f"{path} has no class {label!r}; it has {', '.join(indices)}")
        return [indices[label] for label in self._settings.unsafe]
