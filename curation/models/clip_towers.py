"""The towers of a CLIP by open_clip: pictures and texts as unit vectors of one space."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import PositiveInt

from curation.media.rendering import Picture
from curation.models.devices import Device, Precision, ready, required
from curation.models.hub import ModelFiles
from curation.settings import Settings

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
TOKENIZER = ("tokenizer*", "special_tokens_map.json", "vocab.*", "merges.txt", "*.model")

Vectors = npt.NDArray[np.float32]


class ClipSettings(Settings):
    """A CLIP of open_clip."""

    open_clip: str
    """A model of open_clip's registry by its name, with `weights`; or a folder, or with `revision`
    the id of a repository, that holds `open_clip_config.json` and `open_clip_model.safetensors`."""

    weights: str | None = None
    """The registry's tag of the weights, such as `metaclip_fullcc`. They come from the repository
    that open_clip names for it, so a `revision` belongs to it."""

    revision: str | None = None
    """The commit of the repository, 40 hex digits."""

    device: Device = "cpu"
    """On `cuda`, each worker needs a share of a GPU: `engine.stages.scores.num_gpus`."""

    dtype: Precision = "float32"
    """Half precision halves memory and moves a cosine by some thousandths; for GPUs."""

    batch_size: PositiveInt = 32
    """Frames, or texts, at a time."""


class ClipTowers:
    """Both towers; loaded when first used, or by `load`."""

    def __init__(self, settings: ClipSettings) -> None:
        """Remembers what to load.

        Args:
            settings: which model.
        """
        self._settings = settings
        self._model: Any = None
        self._seen: dict[int, tuple[Picture, npt.NDArray[np.float32]]] = {}

    @property
    def version(self) -> str:
        """Names the weights, and the precision in which they are used."""
        settings = self._settings
        if settings.weights is None:
            return f"{self._files(settings.open_clip).version}-{settings.dtype}"
        # Without open_clip, which takes seconds to import.
        commit = (settings.revision or "unpinned")[:12]
        return f"{settings.open_clip}/{settings.weights}@{commit}-{settings.dtype}"

    def source(self) -> ModelFiles:
        """Where the files are.

        Raises:
            ValueError: open_clip's registry has no such name or tag, or no repository for it.
        """
        settings = self._settings
        if settings.weights is None:
            return self._files(settings.open_clip)
        if settings.revision is None:
            raise ValueError(f"weights {settings.weights!r} of open_clip need a `revision`")
        open_clip = required("open_clip")
        if settings.open_clip not in open_clip.list_models():
            raise ValueError(
                f"open_clip has no model {settings.open_clip!r}; see open_clip.list_models()"
            )
        found = open_clip.get_pretrained_cfg(settings.open_clip, settings.weights).get("hf_hub")
        if not found:
            tags = ", ".join(open_clip.list_pretrained_tags_by_model(settings.open_clip))
            raise ValueError(
                f"open_clip names no repository for weights {settings.weights!r} of "
                f"{settings.open_clip}; its tags are {tags or 'none'}"
            )
        return self._files("/".join(found.split("/")[:2]))

    def _files(self, place: str) -> ModelFiles:
        return ModelFiles(place, self._settings.revision, (CONFIG, WEIGHTS), TOKENIZER)

    def load(self) -> None:
        """Loads both towers, once.

        Raises:
            ValueError: a file is missing or is not what open_clip expects, a package is missing,
                or there is no GPU and one is asked for.
        """
        if self._model is not None:
            return
        folder = self.source().folder()
        _check_whole(folder)
        device = ready(self._settings.device)
        torch, open_clip = required("torch"), required("open_clip")
        self._dtype = getattr(torch, self._settings.dtype)
        try:
            model, self._prepare = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
        except (RuntimeError, KeyError, TypeError) as error:
            raise ValueError(f"open_clip cannot load {folder}: {error}") from error
        self._model = model.eval().to(device, self._dtype)
        self._tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")

    @property
    def logit_scale(self) -> float:
        """What a cosine is multiplied by before the softmax; learned with the model."""
        self.load()
        return float(self._model.logit_scale.detach().exp())

    def embed(self, frames: Sequence[Picture]) -> Vectors:
        """The embedding of each frame, `[N, D]` of length 1; NaN where the model gives NaN.

        The frames of the last call are remembered: models that share the towers embed them once.

        Args:
            frames: at least one, RGB `[H, W, 3]` of any size.
        """
        if any(id(frame) not in self._seen for frame in frames):
            from PIL import Image

            self.load()
            torch = required("torch")
            vectors = self._in_batches(
                self._model.encode_image,
                frames,
                lambda batch: torch.stack(
                    [self._prepare(Image.fromarray(frame)) for frame in batch]
                ).to(self._dtype),
            )
            # Frames are kept with their vectors: a freed one's id might be another's.
            pairs = zip(frames, vectors, strict=True)
            self._seen = {id(frame): (frame, vector) for frame, vector in pairs}
        return np.stack([self._seen[id(frame)][1] for frame in frames])

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """The embedding of each text, `[N, D]` of length 1; long texts are cut off.

        Args:
            texts: at least one.
        """
        self.load()
        return self._in_batches(self._model.encode_text, texts, self._tokenizer)

    def _in_batches(self, encode: Any, items: Sequence[Any], prepare: Any) -> Vectors:  # noqa: ANN401 - PyTorch is imported late
        torch, size = required("torch"), self._settings.batch_size
        found = []
        with torch.inference_mode():
            for start in range(0, len(items), size):
                batch = prepare(items[start : start + size]).to(self._settings.device)
                features = encode(batch).float()
                found.append((features / features.norm(dim=-1, keepdim=True)).cpu().numpy())
        return np.concatenate(found)


def _check_whole(folder: Path) -> None:
    """Refuses a model that open_clip would go online for.

    Raises:
        ValueError: the configuration is none of open_clip, or takes its text tower from elsewhere.
    """
    try:
        text = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder / CONFIG} is no configuration of open_clip: {error!r}"
        ) from error
    if other := text.get("hf_model_name"):
        raise ValueError(
            f"{folder}: its text tower is built by another model, {other}, which open_clip would "
            "fetch; choose a CLIP whose configuration holds both towers"
        )
