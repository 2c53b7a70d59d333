"""Not-safe-for-work score by Yahoo's Open-NSFW (2016, https://github.com/yahoo/open_nsfw)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

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

FILE = "open-nsfw.onnx"
SIDE_PX, CROP_PX = 256, 224
JPEG_QUALITY = 75
MEAN_BGR = np.array([104, 117, 123], np.float32)
"""Mean colour of the training set, as in the original's `classify_nsfw.py`."""

BATCH_SIZE = 8


class NsfwClassifier(FrameModel):
    """The probability that the worst frame of a clip is pornographic.

    Yahoo took scores below 0.2 as safe and above 0.8 as not; between them, people should look. It
    knows photographs of nudity alone: no drawings, no violence, no symbols. What this project
    could check is that clean footage scores low; how much of the unclean it finds is untested.
    """

    name: ClassVar[str] = "open-nsfw"
    version = "fb29e60f4b22-1"
    """Start of the weights' SHA-256, and a number for the code of this module."""

    columns: ClassVar[pa.Schema] = score_columns("nsfw")
    files = (FILE,)

    def setup(self) -> None:
        """Loads the network."""
        self._session = onnx_session(weights_file(self._weights, FILE))

    def __call__(self, clips: Sequence[Sequence[Picture]]) -> list[dict[str, Any]]:
        """The score of each clip; null for a clip without frames."""
        rows = []
        for index, scores in enumerate(per_clip(clips, network_input, self._scores, BATCH_SIZE)):
            check_finite(self.name, index, scores)
            rows.append({"nsfw": float(scores.max()) if len(scores) else None})
        return rows

    def _scores(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        [probabilities] = self._session.run(None, {"input_0": batch})
        return np.asarray(probabilities, np.float32)[:, 1:]


def network_input(frame: Picture) -> npt.NDArray[np.float32]:
    """The middle of the frame as the network was trained on it: BGR less the mean, `[224, 224, 3]`.

    The steps are those of the original: squeeze to 256x256, store as JPEG, read, cut the middle
    out. The network was fitted to the traces of JPEG, so the detour changes scores.
    """
    small = squeezed(frame)
    stored = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    bgr = cv2.imdecode(stored, cv2.IMREAD_COLOR)
    assert bgr is not None, "OpenCV cannot read its own JPEG"
    edge = (SIDE_PX - CROP_PX) // 2
    return bgr[edge : edge + CROP_PX, edge : edge + CROP_PX].astype(np.float32) - MEAN_BGR


def squeezed(frame: Picture) -> Picture:
    """The frame as a square of `SIDE_PX`, as Pillow's bilinear filter makes it.

    Pillow widens the filter by the scale, so that every pixel counts; OpenCV's does not. It shrinks
    the longer side first, and rounds in between.
    """
    passes = (("ow,hwc->hoc", frame.shape[1]), ("oh,hwc->owc", frame.shape[0]))
    for axes, length in passes if frame.shape[1] >= frame.shape[0] else reversed(passes):
        frame = _rounded(np.einsum(axes, _triangles(length), frame, optimize=True))
    return frame


@lru_cache(maxsize=16)
def _triangles(length: int) -> npt.NDArray[np.float32]:
    """Weights `[SIDE_PX, length]` of each input pixel in each output pixel; rows sum to 1."""
    scale = length / SIDE_PX
    centres = (np.arange(SIDE_PX)[:, None] + 0.5) * scale
    distance = np.abs(np.arange(length) + 0.5 - centres) / max(scale, 1.0)
    weights = np.maximum(1.0 - distance, 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _rounded(values: npt.NDArray[Any]) -> Picture:
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
