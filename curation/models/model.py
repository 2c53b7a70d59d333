"""What a model is to the scores stage, and what all models need."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.media.rendering import Picture
from curation.models.hub import ModelFiles
from curation.tables import SCORES

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class FrameModel(ABC):
    """Turns the stored frames of clips into numbers.

    Constructing one is cheap: it is made on the driver and pickled to the workers, and reads its
    weights there, in `setup`.
    """

    name: ClassVar[str]
    """What it is called in recipes and beside its scores."""

    version: str
    """Names weights and code: another version means other numbers."""

    columns: ClassVar[pa.Schema]
    """The columns of `scores` it fills, all nullable."""

    files: tuple[str, ...] = ()
    """Its files in the folder that `make setup` fills."""

    def __init__(self, weights: Path) -> None:
        """Remembers where the weights are.

        Args:
            weights: the folder of the model files.
        """
        self._weights = weights

    def sources(self) -> list[ModelFiles]:
        """Files that `make setup` does not bring: they come from a folder or a hub."""
        return []

    def check(self) -> None:
        """Refuses, before anything else is done, what `setup` would for want of a file.

        Raises:
            ValueError: a file is missing; the message names it and says what to do.
        """
        for name in self.files:
            weights_file(self._weights, name)
        for source in self.sources():
            source.folder()

    @abstractmethod
    def setup(self) -> None:
        """Loads the weights, once per worker process.

        Raises:
            ValueError: a file is missing; the message names it and says what to do.
        """

    @abstractmethod
    def __call__(self, clips: Sequence[Sequence[Picture]]) -> list[dict[str, Any]]:
        """One dict per clip, with a value for each of `columns`.

        A clip without a frame gets null in every column: nothing was seen, so nothing is known.

        Args:
            clips: the frames of each clip, in time order; each RGB `[H, W, 3]` of any size.

        Raises:
            ValueError: an output is NaN or infinite; the message names the model and the clip.
        """


class ConceptModel(FrameModel):
    """A model that puts pictures and texts into one space, whose cosine tells what fits what.

    It fills `concept_embedding` and `concept_labels`.
    """

    @abstractmethod
    def vocabulary(self) -> tuple[list[str], npt.NDArray[np.float32]]:
        """What concepts may be called: names `[L]`, and their embeddings `[L, D]` of length 1.

        May be called without `setup`.

        Raises:
            ValueError: a file is missing.
        """

    @abstractmethod
    def embed_text(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The embedding of each text, `[N, D]` of length 1, in the space of `concept_embedding`.

        May be called without `setup`.

        Raises:
            ValueError: a file is missing.
        """


def score_columns(*names: str) -> pa.Schema:
    """These columns of table `scores`, for `FrameModel.columns`."""
    return pa.schema([SCORES.field(name) for name in names])


def weights_file(folder: Path, name: str) -> Path:
    """The path of a file of weights.

    Raises:
        ValueError: it is not there.
    """
    path = folder / name
    if not path.is_file():
        raise ValueError(f"the model file {path} is missing; `make setup` fetches it")
    return path


def onnx_session(path: Path) -> "InferenceSession":
    """A session on the CPU that computes on the calling thread alone.

    Two processes of one thread each do more than one process of two.
    """
    import onnxruntime  # a quarter of a second

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def per_clip(
    clips: Sequence[Sequence[Picture]],
    prepare: Callable[[Picture], npt.NDArray[Any]],
    infer: Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]],
    batch_size: int,
) -> list[npt.NDArray[np.float32]]:
    """Runs all frames through a network in batches that reach across clips.

    Args:
        clips: the frames of each clip.
        prepare: makes the network's input of one frame; all of one shape.
        infer: the network, `[N, ...]` to `[N, M]`.
        batch_size: the largest N.

    Returns:
        The outputs of each clip that has frames or not, `[frames, M]`; `[0, 0]` if none has.
    """

    def outputs(frames: Sequence[Picture]) -> npt.NDArray[np.float32]:
        starts = range(0, len(frames), batch_size)
        batches = (frames[start : start + batch_size] for start in starts)
        return np.concatenate([infer(np.stack([prepare(one) for one in them])) for them in batches])

    return split(clips, outputs)


def split(
    clips: Sequence[Sequence[Picture]],
    outputs: Callable[[Sequence[Picture]], npt.NDArray[np.float32]],
) -> list[npt.NDArray[np.float32]]:
    """The outputs of each clip, of one call for the frames of all.

    Args:
        clips: the frames of each clip.
        outputs: `[N, ...]` of N frames; not called without a frame.

    Returns:
        `[frames, ...]` for each clip; `[0, 0]` if none has a frame.
    """
    frames = [frame for clip in clips for frame in clip]
    together = outputs(frames) if frames else np.empty((0, 0), np.float32)
    return np.split(together, np.cumsum([len(clip) for clip in clips])[:-1]) if clips else []


def check_finite(model: str, clip: int, output: npt.NDArray[Any]) -> None:
    """Refuses what a comparison would silently let through or drop.

    Raises:
        ValueError: there is a NaN or an infinity in the output.
    """
    if not np.isfinite(output).all():
        raise ValueError(f"model {model} returned NaN or infinity for clip {clip} of the batch")
