"""Which frames of a training sample are taken, and to what size they are brought."""

import cv2
import numpy as np
import numpy.typing as npt

from curation.buckets import ASPECTS, Aspect, size_of
from training.settings import LatentsSettings

Frames = npt.NDArray[np.uint8]
"""RGB, full range, `[T, H, W, 3]`."""


def taken_frames(num_frames: int, settings: LatentsSettings) -> range:
    """The indices of the frames that are taken of so many: evenly spaced, around the middle."""
    stride = settings.frame_stride
    count = -(-num_frames // stride)
    if settings.max_frames is not None:
        count = min(count, settings.max_frames)
    start = (num_frames - 1 - (count - 1) * stride) // 2
    return range(start, start + (count - 1) * stride + 1, stride)


def bucket_size(aspect: Aspect, width: int, height: int, base_px: int | None) -> tuple[int, int]:
    """Width and height of the bucket of `base_px`, px; of the sample where that is no larger."""
    if base_px is None:
        return width, height
    size = size_of(aspect, base_px)
    return size if size[0] <= width and size[1] <= height else (width, height)


def encoded_frames(sample: Frames, aspect: Aspect, settings: LatentsSettings) -> Frames:
    """The frames that are encoded, scaled down by area averages until they cover the bucket.

    What juts out is cut off evenly on both sides: under 16 px.

    Args:
        sample: all its frames.
        aspect: that of its bucket.
        settings: of its subset.
    """
    taken = taken_frames(len(sample), settings)
    frames = sample[taken.start : taken.stop : taken.step]
    height, width = frames.shape[1:3]
    to_width, to_height = bucket_size(aspect, width, height, settings.base_px)
    scale = max(to_width / width, to_height / height)
    size = (max(to_width, round(width * scale)), max(to_height, round(height * scale)))
    if size != (width, height):
        scaled = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
        frames = np.stack(scaled)
    left, top = (size[0] - to_width) // 2, (size[1] - to_height) // 2
    return frames[:, top : top + to_height, left : left + to_width]


def aspect_of(bucket: str) -> Aspect:
    """The aspect of a bucket by its name, such as `16:9-128`."""
    name = bucket.partition("-")[0]
    found = next((aspect for aspect in ASPECTS if aspect == name), None)
    assert found is not None, bucket
    return found
