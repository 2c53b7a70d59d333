"""A stand-in for CLIP that needs none: ImageNet's labels, and what their names mean.

ConSE, Norouzi et al. 2014 (https://arxiv.org/abs/1312.5650): a picture lies where the names of what
it seems to show lie among texts. It knows the 1000 things of ImageNet, and by their names what is
near to them. It knows no people, no styles and no relations; see docs/scores.md for how well.
"""

import logging
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.media.rendering import Picture
from curation.models import efficientnet, minilm
from curation.models.efficientnet import EfficientNetLite0, network_input
from curation.models.minilm import MiniLM
from curation.models.model import (
    ConceptModel,
    check_finite,
    per_clip,
    score_columns,
    weights_file,
)

SYNSETS, LEMMAS = "imagenet-synsets.txt", "imagenet-lemmas.txt"

VERSION = "579344248a93-53aa51172d14-1"
"""Starts of the weights' SHA-256, and a number for the code."""

TOP = 10
"""Labels that make up a picture's embedding, as in the paper."""

MOST_LABELS = 5
"""Labels that are kept."""

BATCH_SIZE = 8

OWN_NAMES = {
    "n02012849": "crane (bird)",
    "n03126707": "crane (machine)",
    "n03710637": "maillot (tights)",
    "n03710721": "maillot (swimsuit)",
}
"""Of the synsets whose first name is also another's."""

Array = npt.NDArray[np.float32]

logger = logging.getLogger(__name__)


class Vocabulary(NamedTuple):
    """ImageNet's labels among texts."""

    names: list[str]
    embeddings: Array
    """`[1000, 384]` of length 1, less `mean`."""

    mean: Array
    """What all labels have in common, `[384]`: it says nothing, and hides what the rest says."""


class Conse(ConceptModel):
    """The middle of what EfficientNet-Lite0 takes a clip for, among the meanings of MiniLM."""

    name: ClassVar[str] = "conse"
    version = VERSION

    columns: ClassVar[pa.Schema] = score_columns("concept_embedding", "concept_labels")
    files = (efficientnet.FILE, minilm.FILE, minilm.TOKENIZER, SYNSETS, LEMMAS)

    def setup(self) -> None:
        """Loads the network and embeds the labels."""
        self._network = EfficientNetLite0(self._weights)
        self._vocabulary = vocabulary(self._weights)

    def __call__(self, clips: Sequence[Sequence[Picture]]) -> list[dict[str, Any]]:
        """Embedding `[384]` and labels, best first; null for a clip without frames."""
        rows: list[dict[str, Any]] = []
        for index, seen in enumerate(per_clip(clips, network_input, self._network, BATCH_SIZE)):
            check_finite(self.name, index, seen)
            if not len(seen):
                rows.append({"concept_embedding": None, "concept_labels": None})
                continue
            mean = seen.mean(axis=0)
            best = np.argsort(-mean, kind="stable")[:MOST_LABELS]
            names = self._vocabulary.names
            labels = [{"label": names[row], "score": float(mean[row])} for row in best]
            embedding = unit(embedded(seen, self._vocabulary.embeddings).mean(axis=0))
            rows.append({"concept_embedding": embedding, "concept_labels": labels})
        return rows

    def vocabulary(self) -> tuple[list[str], Array]:
        """ImageNet's labels, and their embeddings `[1000, 384]`."""
        known = vocabulary(self._weights)
        return known.names, known.embeddings

    def embed_text(self, texts: Sequence[str]) -> Array:
        """The embedding of each text, `[N, 384]` of length 1."""
        return unit(MiniLM(self._weights)(texts) - vocabulary(self._weights).mean)


def embedded(probabilities: Array, label_embeddings: Array) -> Array:
    """The sum of the likeliest labels' embeddings, each by its probability, `[N, D]` of length 1.

    Args:
        probabilities: of each label, `[N, L]`.
        label_embeddings: `[L, D]`.
    """
    least = np.partition(probabilities, -TOP, axis=1)[:, -TOP, None]
    return unit(np.where(probabilities >= least, probabilities, 0) @ label_embeddings)


@lru_cache(maxsize=1)
def vocabulary(weights: Path) -> Vocabulary:
    """The labels and their embeddings: some seconds once per machine, then kept beside the weights.

    Args:
        weights: the folder of the model files.

    Raises:
        ValueError: a file is missing, or torch is.
    """
    names = label_names(weights)
    kept = weights / f"conse-labels-{VERSION}.npy"
    embeddings = kept_embeddings(kept, (len(names), minilm.SIZE))
    if embeddings is None:
        embeddings = MiniLM(weights)([f"a photo of a {name}" for name in names])
        keep_embeddings(kept, embeddings)
    mean = embeddings.mean(axis=0)
    return Vocabulary(names, unit(embeddings - mean), mean)


def kept_embeddings(path: Path, shape: tuple[int, int]) -> Array | None:
    """The embeddings in a file, None where it has none of this shape."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = found.shape == shape and found.dtype == np.float32 and np.isfinite(found).all()
    return found if whole else None


def keep_embeddings(path: Path, embeddings: Array) -> None:
    """Writes the file whole, or not at all: several workers may be at it, or may not be allowed."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npy", delete=False) as file:
            np.save(file, embeddings, allow_pickle=False)
        Path(file.name).replace(path)
    except OSError:
        logger.debug("the embeddings of ImageNet's labels are not kept in %s", path.parent)


def label_names(weights: Path) -> list[str]:
    """A name for each of ImageNet's classes, in the network's order; no two the same.

    Args:
        weights: the folder of the model files.

    Raises:
        ValueError: a file is missing.
    """
    synsets = weights_file(weights, SYNSETS).read_text("utf-8").split()
    lines = weights_file(weights, LEMMAS).read_text("utf-8").splitlines()
    lemmas = dict(line.split("\t") for line in lines)
    return [OWN_NAMES.get(one) or lemmas[one].partition(", ")[0] for one in synsets]


def unit(vectors: Array) -> Array:
    """The vectors at length 1, along the last axis."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)
