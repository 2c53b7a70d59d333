"""Copy detection by SSCD (Pizzi et al. 2022, https://arxiv.org/abs/2202.10261)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.media.rendering import Picture
from curation.models.model import (
    FrameModel,
    check_finite,
    onnx_session,
    per_clip,
    score_columns,
    weights_file,
)

Variant = Literal["distilled", "int8"]
"""`distilled`: a MobileNetV4-S that was trained to give SSCD's embeddings. `int8`: SSCD's own
ResNet-50 (`sscd_disc_mixup`), quantised; 4 times the cost."""

FILES: dict[Variant, str] = {"distilled": "sscd-distilled.onnx", "int8": "sscd-int8.onnx"}
VERSIONS: dict[Variant, str] = {"distilled": "240436cc531e-1", "int8": "86386042eb85-1"}
"""Start of the weights' SHA-256, and a number for the code of this module."""

SIDE_PX = 288
"""Frames are squeezed to a square of this side, whatever their aspect, as SSCD's authors advise."""

BATCH_SIZE = 8


class CopyDetector(FrameModel):
    """One embedding per frame; the cosine of two says whether one frame is a copy of the other."""

    name: ClassVar[str] = "sscd"
    columns: ClassVar[pa.Schema] = score_columns("copy_embedding")

    def __init__(self, weights: Path, variant: Variant = "distilled") -> None:
        """Remembers where the weights are.

        Args:
            weights: the folder of the model files.
            variant: which network.
        """
        super().__init__(weights)
        self.version = VERSIONS[variant]
        self.files = (FILES[variant],)
        self._variant = variant

    def setup(self) -> None:
        """Loads the network."""
        self._session = onnx_session(weights_file(self._weights, FILES[self._variant]))

    def __call__(self, clips: Sequence[Sequence[Picture]]) -> list[dict[str, Any]]:
        """A list of embeddings per clip, `[512]` float32 each; null for a clip without frames."""
        rows = []
        for index, embeddings in enumerate(per_clip(clips, squeezed, self._embedded, BATCH_SIZE)):
            check_finite(self.name, index, embeddings)
            rows.append({"copy_embedding": list(half_precision(embeddings)) or None})
        return rows

    def _embedded(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        [embeddings] = self._session.run(None, {"image": batch})
        return np.asarray(embeddings, np.float32)


def squeezed(frame: Picture) -> Picture:
    """The frame as a square of `SIDE_PX`."""
    shrinks = frame.shape[0] * frame.shape[1] > SIDE_PX**2
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(frame, (SIDE_PX, SIDE_PX), interpolation=how), np.uint8)


def half_precision(embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rounded to what 16 bits hold: a cosine moves by less than 0.0005."""
    return embeddings.astype(np.float16).astype(np.float32)
