"""Text on screen: where, how sure, and what it says.

PP-OCRv6 small: a detector boxes lines of text, a recogniser reads each box. Movie Gen keeps a clip
if detection score times recognition score is below 0.6 for every word of every sampled frame; here
the unit is the line, which is what the detector finds, and its scores are lower: plain captions
have 0.7 to 0.9, faint watermarks 0.4 to 0.6.

The detector alone takes foliage, cakes and empty skies for text, at times the whole picture. A
box counts only if it is read with confidence. The recogniser knows Latin, Chinese, Japanese and
most Greek letters; of other scripts (Cyrillic, Hangul, Arabic...) it reads next to nothing, while
of false boxes it reads some rare character, unsure. So a sure box of a line's shape of which not a
letter is read counts too: it is text that stays unread.

Cost on one thread: 50 ms a frame of 640x360 without text, and 15 ms a line.
"""

from collections.abc import Sequence
from itertools import groupby
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
    score_columns,
    weights_file,
)
from curation.models.text_boxes import LINE_PX, Box, area, detection_size, line_picture, text_boxes
from curation.models.text_lines import Line, reading, summary, with_rest

DETECTOR, RECOGNISER = "pp-ocrv6-det-small.onnx", "pp-ocrv6-rec-small.onnx"

LONGEST_SIDE_PX = 640
"""Larger frames are searched at this size; their lines are read at their own."""

WIDTH_STEP_PX = 64
"""Lines are padded to whole multiples, so that those of one width can be read together."""

WIDEST_PX = 1600
"""A line 33 times as wide as high is squeezed to this: no reader needs more, and noise may ask."""

BATCH_SIZE = 8

MOST_READ = 16
"""Lines of a frame that are read: a page of credits has 150, and costs as much as a film."""


class TextReader(FrameModel):
    """Reads what is written on the frames of a clip."""

    name: ClassVar[str] = "pp-ocr"
    version = "090f04abcd9d-6f327246b503-3"
    columns: ClassVar[pa.Schema] = score_columns("text_share", "text_score", "text", "text_lines")
    files = (DETECTOR, RECOGNISER)

    def setup(self) -> None:
        """Loads both networks."""
        self._detector = onnx_session(weights_file(self._weights, DETECTOR))
        self._recogniser = onnx_session(weights_file(self._weights, RECOGNISER))
        listed = self._recogniser.get_modelmeta().custom_metadata_map["character"]
        self._characters = ["", *listed.split("\n"), " "]

    def __call__(self, clips: Sequence[Sequence[Picture]]) -> list[dict[str, Any]]:
        """Share, score and text of each clip; null for a clip without frames.

        The share is the largest of the frames, not the mean: who trains on the clip sees its
        captions, however short they stand.
        """
        return [summary(clip, lines) for clip, lines in zip(clips, self.read(clips), strict=True)]

    def read(self, clips: Sequence[Sequence[Picture]]) -> list[list[list[Line]]]:
        """The lines of each frame of each clip, from top to bottom, whether they count or not.

        Of a frame with more than `MOST_READ` the largest are read, see `with_rest`.

        Raises:
            ValueError: an output of a network is NaN or infinite.
        """
        boxes = [[self._boxes(frame, index) for frame in clip] for index, clip in enumerate(clips)]
        pictures = [
            line_picture(frame[..., ::-1], box.corners)
            for clip, searched in zip(clips, boxes, strict=True)
            for frame, (chosen, _) in zip(clip, searched, strict=True)
            for box in chosen
        ]
        readings = iter(self._readings(pictures))
        lines = [
            [
                with_rest([Line(box, *next(readings)) for box in chosen], rest)
                for chosen, rest in searched
            ]
            for searched in boxes
        ]
        for index, clip_lines in enumerate(lines):
            scores = [line.recognition for found in clip_lines for line in found]
            check_finite(self.name, index, np.array(scores))
        return lines

    def _boxes(self, frame: Picture, clip: int) -> tuple[list[Box], list[Box]]:
        """Which boxes are read, from top to bottom, and which are not."""
        height, width = frame.shape[:2]
        rows, columns = detection_size(height, width, LONGEST_SIDE_PX)
        small = cv2.resize(frame[..., ::-1], (columns, rows))
        [maps] = self._detector.run(None, {"x": _network_input([np.asarray(small)], columns)})
        check_finite(self.name, clip, maps)
        boxes = sorted(text_boxes(maps[0, 0], height, width), key=area, reverse=True)
        chosen = sorted(boxes[:MOST_READ], key=lambda box: float(box.corners[:, 1].min()))
        return chosen, boxes[MOST_READ:]

    def _readings(self, pictures: list[Picture]) -> list[tuple[str, float]]:
        widths = [
            min(WIDEST_PX, -(-picture.shape[1] // WIDTH_STEP_PX) * WIDTH_STEP_PX)
            for picture in pictures
        ]
        readings = [("", 0.0)] * len(pictures)
        order = sorted(range(len(pictures)), key=widths.__getitem__)
        for width, group in groupby(order, key=widths.__getitem__):
            alike = list(group)
            for start in range(0, len(alike), BATCH_SIZE):
                batch = alike[start : start + BATCH_SIZE]
                values = _network_input([pictures[index] for index in batch], width)
                [steps] = self._recogniser.run(None, {"x": values})
                for index, line in zip(batch, steps, strict=True):
                    readings[index] = reading(line, self._characters)
        return readings


def _network_input(pictures: Sequence[Picture], width: int) -> npt.NDArray[np.float32]:
    """BGR pictures of one height, -1 to 1, `[N, 3, H, width]`; what is right of a picture is 0."""
    height = pictures[0].shape[0]
    values = np.zeros((len(pictures), height, width, 3), np.float32)
    for row, picture in zip(values, pictures, strict=True):
        if picture.shape[1] > width:
            picture = np.asarray(cv2.resize(picture, (width, LINE_PX)), np.uint8)
        row[:, : picture.shape[1]] = picture / np.float32(127.5) - 1
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2))
