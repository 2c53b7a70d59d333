"""Clips as captioners see them, made up."""

from typing import Any

import numpy as np

from captioning.captioner import CaptionClip, TimedFrame
from curation.media.rendering import Picture

MOVING = {"motion_vmaf": 4.0, "frozen_share": 0.0, "colourfulness": 40.0, "luma_mean": 0.45}


def plain(rgb: tuple[int, int, int], width: int = 64, height: int = 36) -> Picture:
    """A picture of one colour."""
    return np.full((height, width, 3), rgb, np.uint8)


def caption_clip(**changed: Any) -> CaptionClip:
    """A clip of two grey frames of which nothing is known, but for what is given."""
    frames = (TimedFrame(0.0, plain((128, 128, 128))), TimedFrame(4.0, plain((128, 128, 128))))
    known: dict[str, Any] = {
        "clip_id": "c-0-96",
        "is_image": False,
        "duration_s": 4.0,
        "frames": frames,
        "camera": None,
        "camera_segments": (),
        "measures": {},
        "path": (),
        "labels": (),
        "attributes": (),
        "text": None,
        "text_lines": (),
    }
    return CaptionClip(**(known | changed))
