"""Concepts by a CLIP of open_clip: what a clip shows, as a vector and in words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.media.rendering import Picture
from curation.models.clip_towers import ClipSettings, ClipTowers, Vectors
from curation.models.hub import ModelFiles
from curation.models.model import ConceptModel, check_finite, score_columns, split
from curation.models.taxonomy import HUMAN_ACTIONS, read_taxonomy
from curation.settings import fingerprint

NUM_LABELS = 5

WITH_PEOPLE = (
    "a photo of a person",
    "a photo of a man",
    "a photo of a woman",
    "a photo of a child",
    "a photo of two people",
    "a photo of a group of people",
    "a photo of a crowd",
    "a close-up photo of a face",
    "a photo of hands",
)
WITHOUT_PEOPLE = (
    "a photo of a landscape without people",
    "a photo of an empty room",
    "a photo of an empty street",
    "a photo of a building",
    "a photo of an animal",
    "a photo of a plant",
    "a photo of food",
    "a photo of a vehicle",
    "a photo of an object",
    "a photo of the sky",
    "a photo of water",
    "a drawing",
    "a page of text",
)
"""`people` is the probability of the first list against both."""


ATTRIBUTES = {
    "shot size": {
        "close-up": "a close-up photo of a face or a small thing",
        "medium shot": "a photo of a person from the waist up",
        "wide shot": "a wide photo of a whole scene from far away",
        "aerial view": "an aerial photo from high above",
    },
    "place": {"indoors": "a photo taken indoors", "outdoors": "a photo taken outdoors"},
    "time of day": {
        "day": "a photo taken in bright daylight",
        "night": "a photo taken at night",
        "dusk or dawn": "a photo taken at sunset or sunrise",
    },
}
"""What else a clip is asked for, in the words of prompts: of each kind the likeliest is kept."""


class OpenClipSettings(ClipSettings):
    """A CLIP of open_clip, and the words it names clips with."""

    taxonomy: str | None = None
    """A text file of phrases, one a line, that `concept_labels` are chosen from. `null`: 600
    actions and expressions of people, `curation/models/taxonomies/human-actions.txt`."""

    prompt: str = "a video of a person {}"
    """What a phrase becomes before the model reads it; `{}` stands for the phrase."""


class OpenClip(ConceptModel):
    """Embeds the frames of a clip, and compares them with texts."""

    name: ClassVar[str] = "open-clip"
    columns: ClassVar[pa.Schema] = score_columns(
        "concept_embedding", "concept_labels", "people", "attributes"
    )

    def __init__(self, settings: OpenClipSettings, towers: ClipTowers) -> None:
        """Reads the taxonomy; the towers load themselves.

        Args:
            settings: which model, taxonomy and prompt.
            towers: of this model.

        Raises:
            ValueError: the taxonomy cannot be read, or the prompt has no place for its phrases.
        """
        if settings.prompt.count("{}") != 1:
            raise ValueError(f"prompt {settings.prompt!r} should have one {{}} for the phrase")
        path = HUMAN_ACTIONS if settings.taxonomy is None else Path(settings.taxonomy)
        self._phrases = read_taxonomy(path)
        self._texts = [settings.prompt.replace("{}", name) for name in self._phrases]
        self._towers = towers
        self.version = f"{towers.version}-{fingerprint(*self._texts)[:8]}-2"

    def sources(self) -> list[ModelFiles]:
        """The files of the towers."""
        return [self._towers.source()]

    def setup(self) -> None:
        """Loads the towers, and embeds the phrases and all other prompts."""
        self._towers.load()
        _, self._names = self.vocabulary()
        self._people = self.embed_text([*WITH_PEOPLE, *WITHOUT_PEOPLE])
        self._attributes = {
            kind: self.embed_text(list(prompts.values())) for kind, prompts in ATTRIBUTES.items()
        }

    def vocabulary(self) -> tuple[list[str], Vectors]:
        """The phrases of the taxonomy, and their embeddings within the prompt, `[L, D]`."""
        return list(self._phrases), self.embed_text(self._texts)

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """The embedding of each text, `[N, D]` of length 1."""
        return self._towers.embed_text(texts)

    def __call__(self, clips: Sequence[Sequence[Picture]]) -> list[dict[str, Any]]:
        """Embedding, labels, attributes and `people` of each clip; null without frames.

        The embedding is the mean of the frames', brought back to length 1. A label's score is its
        probability among all phrases for that embedding. `people` is the highest of the frames.
        """
        rows = []
        for index, vectors in enumerate(split(clips, self._towers.embed)):
            if not len(vectors):
                rows.append(dict.fromkeys(self.columns.names))
                continue
            mean = vectors.mean(axis=0)
            mean /= np.linalg.norm(mean)
            people = self._likely(vectors, self._people)[:, : len(WITH_PEOPLE)].sum(axis=1)
            check_finite(self.name, index, np.append(mean, people))
            rows.append(
                {
                    "concept_embedding": mean,
                    "concept_labels": self._labels(mean),
                    "people": float(people.max()),
                    "attributes": [self._attribute(kind, mean) for kind in ATTRIBUTES],
                }
            )
        return rows

    def _attribute(self, kind: str, vector: npt.NDArray[np.float32]) -> dict[str, Any]:
        [likely] = self._likely(vector[None], self._attributes[kind])
        best = int(likely.argmax())
        return {"kind": kind, "value": list(ATTRIBUTES[kind])[best], "score": float(likely[best])}

    def _labels(self, vector: npt.NDArray[np.float32]) -> list[dict[str, Any]]:
        [likely] = self._likely(vector[None], self._names)
        best = np.argsort(-likely, kind="stable")[:NUM_LABELS]
        return [{"label": self._phrases[index], "score": float(likely[index])} for index in best]

    def _likely(self, vectors: Vectors, texts: Vectors) -> Vectors:
        """Softmax of the scaled cosines over the texts, `[N, L]`."""
        logits = self._towers.logit_scale * vectors @ texts.T
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
