"""How much people like a picture, by LAION's aesthetic heads over CLIP.

Two heads are in use: LAION-Aesthetics V1, one linear layer over CLIP ViT-L/14, B/32 or B/16; and
V2 ("improved aesthetic predictor", `sac+logos+ava1-l14-linearMSE`), five linear layers over
ViT-L/14, the one meant by most who cite "the LAION aesthetic predictor", Movie Gen's authors
probably among them. V2's layers have nothing between them, and its dropout is for training alone,
so a head of any depth is read the same way: layer after layer.

The answer is about 1 to 10; pictures of the web have 5 on average. The heads were trained on the
embeddings of OpenAI's CLIP. Another CLIP of the same width, such as MetaCLIP L/14, gives numbers
too, but numbers without meaning.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.media.rendering import Picture
from curation.models.checkpoint import tensors
from curation.models.clip_towers import ClipSettings, ClipTowers
from curation.models.devices import required
from curation.models.hub import ModelFiles, model_file
from curation.models.model import FrameModel, check_finite, score_columns, split
from curation.settings import Settings

Layer = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Weight `[out, in]` and bias `[out]`."""


class AestheticSettings(Settings):
    """A head of LAION's aesthetic predictor, and the CLIP it was trained on."""

    head: str
    """The head's file, `.safetensors` or `.pth`; with `revision` it is one of a repository:
    `organisation/repository/file`."""

    revision: str | None = None
    """The commit of the repository, 40 hex digits."""

    backbone: ClipSettings | None = None
    """The CLIP that the head was trained on: OpenAI's for LAION's heads. `null` takes that of
    `concept`, whose embeddings then serve both."""


class Aesthetic(FrameModel):
    """The head's opinion of the middle frame: averaging more frames did not help Movie Gen."""

    name: ClassVar[str] = "laion-aesthetic"
    columns: ClassVar[pa.Schema] = score_columns("aesthetic")

    def __init__(self, settings: AestheticSettings, towers: ClipTowers) -> None:
        """Remembers what to load.

        Args:
            settings: which head.
            towers: the CLIP below it.

        Raises:
            ValueError: the settings name no file.
        """
        self._head = model_file(settings.head, settings.revision)
        self._towers = towers
        self.version = f"{self._head.version}-{towers.version}-1"

    def sources(self) -> list[ModelFiles]:
        """The files of the head and of the CLIP."""
        return [self._head, self._towers.source()]

    def setup(self) -> None:
        """Loads the head and the towers."""
        self._layers = read_head(self._head.folder() / self._head.names[0])
        self._towers.load()

    def __call__(self, clips: Sequence[Sequence[Picture]]) -> list[dict[str, Any]]:
        """The score of each clip's middle frame; null for a clip without frames."""
        middles = [clip[len(clip) // 2 : len(clip) // 2 + 1] for clip in clips]
        rows: list[dict[str, Any]] = []
        for index, vectors in enumerate(split(middles, self._towers.embed)):
            if not len(vectors):
                rows.append({"aesthetic": None})
                continue
            score = self._score(vectors[0])
            check_finite(self.name, index, np.array(score))
            rows.append({"aesthetic": score})
        return rows

    def _score(self, vector: npt.NDArray[np.float32]) -> float:
        for weight, bias in self._layers:
            if len(vector) != weight.shape[1]:
                raise ValueError(
                    f"the aesthetic head takes {weight.shape[1]} numbers, and its CLIP gives "
                    f"{len(vector)}: name the CLIP it was trained on as `backbone`"
                )
            vector = weight @ vector + bias
        return float(vector[0])


def read_head(path: Path) -> list[Layer]:
    """The layers of a head, in order.

    Raises:
        ValueError: the file cannot be read, or is no chain of linear layers down to one number.
    """
    if path.suffix == ".safetensors":
        required("safetensors")
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            found = load_file(path)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path} is no file of safetensors: {error}") from error
    else:
        found = tensors(path)
    names = sorted({name.rpartition(".")[0] for name in found}, key=_place)
    try:
        layers = [
            (_plain(found[_join(name, "weight")]), _plain(found[_join(name, "bias")]))
            for name in names
        ]
    except KeyError as error:
        raise ValueError(f"{path} is no aesthetic head: it has no {error}") from error
    outs = [weight.shape[0] for weight, _ in layers if weight.ndim == 2]
    ins = [weight.shape[1] for weight, _ in layers if weight.ndim == 2]
    biases = [bias.shape for _, bias in layers]
    if len(outs) < len(layers) or [*ins[1:], 1] != outs or biases != [(out,) for out in outs]:
        shapes = ", ".join(f"{weight.shape}" for weight, _ in layers)
        raise ValueError(f"{path} is no aesthetic head: its layers have weights of {shapes}")
    return layers


def _place(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def _join(name: str, kind: str) -> str:
    return f"{name}.{kind}" if name else kind


def _plain(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return np.asarray(values, np.float32)
