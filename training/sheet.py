"""A contact sheet: for each video a row of frames with its prompt above, as one picture."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

GAP_PX = 4
LABEL_PX = 18
MIN_HEIGHT_PX = 96
"""Frames that are lower are enlarged, by whole factors, so that one sees their pixels."""


def contact_sheet(
    videos: Sequence[npt.NDArray[np.uint8]], labels: Sequence[str], num_frames: int = 8
) -> npt.NDArray[np.uint8]:
    """RGB `[H, W, 3]`: a row for each video, of frames evenly spaced from its first to its last.

    Args:
        videos: `[T, H, W, 3]` each, RGB.
        labels: a line of text for each; what does not fit is cut.
        num_frames: frames of a row; of a shorter video all of them.

    Raises:
        ValueError: there is no video.
    """
    if not videos:
        raise ValueError("a contact sheet needs a video")
    rows = [_row(video, label, num_frames) for video, label in zip(videos, labels, strict=True)]
    width = max(row.shape[1] for row in rows)
    sheet = np.full((sum(row.shape[0] + GAP_PX for row in rows), width, 3), 255, np.uint8)
    top = 0
    for row in rows:
        sheet[top : top + row.shape[0], : row.shape[1]] = row
        top += row.shape[0] + GAP_PX
    return sheet


def _row(video: npt.NDArray[np.uint8], label: str, num_frames: int) -> npt.NDArray[np.uint8]:
    chosen = np.linspace(0, len(video) - 1, min(num_frames, len(video))).round().astype(int)
    factor = -(-MIN_HEIGHT_PX // video.shape[1])
    frames = video[chosen].repeat(factor, axis=1).repeat(factor, axis=2)
    _, height, width, _ = frames.shape
    row = np.full((LABEL_PX + height, num_frames * (width + GAP_PX), 3), 255, np.uint8)
    for place, frame in enumerate(frames):
        row[LABEL_PX:, place * (width + GAP_PX) :][:, :width] = frame
    picture = Image.fromarray(row)
    # The default font has few letters beyond Latin ones; the others show as boxes.
    ImageDraw.Draw(picture).text((2, 2), label, fill=(0, 0, 0), font=ImageFont.load_default(12))
    return np.asarray(picture)
