"""The training buckets: every sample of a bucket has the same number of frames and the same size.

- Movie Gen's table 2 fixes the number of frames and stretches it over the clip: the frame rate
  varies with the clip, and the model is told it by a prompt token, `FPS-N`.
- Of the durations that a clip fits, the first of `DURATIONS` for which it has the frames is taken.
- Neither frames nor pixels are invented: a clip with too few of either fits no bucket.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from curation.settings import Settings

Aspect = Literal["16:9", "4:3", "1:1", "3:4", "9:16"]
ASPECTS: dict[Aspect, float] = {
    "16:9": 16 / 9,
    "4:3": 4 / 3,
    "1:1": 1.0,
    "3:4": 3 / 4,
    "9:16": 9 / 16,
}
"""Width over height of the five shapes."""

SIDE_MULTIPLE_PX = 16
"""The autoencoder shrinks a side 8 times and the transformer takes patches of 2."""

MAX_ENLARGEMENT = 1.02
"""How much a picture may be enlarged to fill its bucket: rounding of a side, not more."""

DurationName = Literal["16s", "12-16s", "10.67s", "8-12s", "4-8s"]


@dataclass(frozen=True)
class Duration:
    """A row of the paper's table 2."""

    name: DurationName
    min_s: float
    max_s: float
    num_frames: int
    centre_s: float | None
    """Seconds taken from the middle of the clip; None takes the whole clip."""


DURATIONS: tuple[Duration, ...] = (
    Duration("16s", 16.0, math.inf, 256, 16.0),
    Duration("12-16s", 12.0, 16.0, 256, None),
    Duration("10.67s", 32 / 3, math.inf, 256, 32 / 3),
    Duration("8-12s", 8.0, 12.0, 192, None),
    Duration("4-8s", 4.0, 8.0, 128, None),
)
"""The paper's five, the most demanding first: a clip of `min_s` and more, below `max_s`, fits.

With all five in use `10.67s` gets clips below 12 s, as in the paper's table. Without `12-16s` it
gets longer ones too, as in the paper's fine-tuning set: 10.6 to 16 s at 24 fps, 16 s at 16 fps."""


class BucketSettings(Settings):
    """The shapes that a subset's clips are brought to."""

    base_px: int = Field(default=256, ge=64, le=4096, multiple_of=SIDE_MULTIPLE_PX)
    """Side of the square bucket, px; the other shapes have nearly the same area."""

    aspects: tuple[Aspect, ...] = Field(default=tuple(ASPECTS), min_length=1)
    """Shapes in use; a clip goes to the nearest by the logarithm of width / height."""

    durations: tuple[DurationName, ...] = Field(
        default=tuple(duration.name for duration in DURATIONS), min_length=1
    )
    """Duration buckets in use, of `16s`, `12-16s`, `10.67s`, `8-12s` and `4-8s`."""

    max_repeated_share: float = Field(default=0.01, ge=0, le=1)
    """Share of a sample's frames that may repeat the one before because the source has too few.
    0.01 lets 23.976 fps fill 24 fps; 0.25 would let 4 s of 24 fps fill 128 frames."""

    crop_borders: bool = True
    """Cut black or coloured bars off before scaling (`content_*` of the clip)."""


@dataclass(frozen=True)
class Bucket:
    """Where a clip goes and what of it is taken."""

    aspect: Aspect
    width: int
    """px"""
    height: int
    """px"""
    num_frames: int
    offset_s: float
    """Seconds of the clip that are skipped before the taken range."""
    taken_s: float
    """Length of the taken range; 0 for an image."""

    @property
    def name(self) -> str:
        """`<aspect>-<num_frames>`, such as `16:9-128`: equal names mean equal shapes."""
        return f"{self.aspect}-{self.num_frames}"

    @property
    def fps(self) -> float | None:
        """Frames per second of the sample; None for an image."""
        return self.num_frames / self.taken_s if self.taken_s else None

    @property
    def fps_token(self) -> str | None:
        """`FPS-N` with the nearest whole N, the token of the prompt; None for an image."""
        return f"FPS-{round(self.fps)}" if self.fps else None


def size_of(aspect: Aspect, base_px: int) -> tuple[int, int]:
    """Width and height in px: multiples of 16 with nearly the area of `base_px` squared.

    256: 336x192, 288x224, 256x256, 224x288, 192x336, areas within 2 %.
    768: 1024x576, 880x672, 768x768, 672x880, 576x1024, areas within 1 %.
    """
    stretch = math.sqrt(ASPECTS[aspect])
    multiple = SIDE_MULTIPLE_PX
    return (
        round(base_px * stretch / multiple) * multiple,
        round(base_px / stretch / multiple) * multiple,
    )


def bucket_for(
    duration_s: float, width: float, height: float, fps: float, settings: BucketSettings
) -> Bucket | str:
    """The bucket of a clip, or why it has none.

    Args:
        duration_s: length of the clip; 0 for an image.
        width: width of the picture that is used, display px.
        height: its height.
        fps: frames that the clip really has over `duration_s`; ignored for an image.
        settings: the buckets in use.

    Returns:
        A `Bucket`, or `duration` (no bucket in use takes this length), `fps` (too few frames) or
        `size` (too few pixels).
    """
    aspect = min(settings.aspects, key=lambda name: abs(math.log(ASPECTS[name] * height / width)))
    bucket_width, bucket_height = size_of(aspect, settings.base_px)
    if max(bucket_width / width, bucket_height / height) > MAX_ENLARGEMENT:
        return "size"
    if duration_s == 0:
        return Bucket(aspect, bucket_width, bucket_height, 1, 0.0, 0.0)

    fitting = [
        duration
        for duration in DURATIONS
        if duration.name in settings.durations and duration.min_s <= duration_s < duration.max_s
    ]
    for duration in fitting:
        taken_s = duration.centre_s or duration_s
        if taken_s * fps >= duration.num_frames * (1 - settings.max_repeated_share):
            offset_s = (duration_s - taken_s) / 2
            return Bucket(
                aspect, bucket_width, bucket_height, duration.num_frames, offset_s, taken_s
            )
    return "fps" if fitting else "duration"


SHAPE = ("duration_s", "num_frames", "width", "height", "content_width", "content_height")
"""The measures of a clip that decide its bucket."""


def bucket_reasons(shapes: npt.NDArray[np.float64], settings: BucketSettings) -> list[str | None]:
    """Why each clip has no bucket, as `clip_bucket` says it; None where it has one.

    Args:
        shapes: `[N, 6]`, the measures `SHAPE` of each clip, NaN where one is missing.
        settings: the buckets in use.
    """
    duration_s, num_frames, width, height, content_width, content_height = shapes.T
    if settings.crop_borders:
        is_cropped = (content_width > 0) & (content_height > 0)
        width = np.where(is_cropped, content_width, width)
        height = np.where(is_cropped, content_height, height)
    with np.errstate(invalid="ignore", divide="ignore"):
        unscored = ~((width > 0) & (height > 0)) | np.isnan(duration_s) | np.isnan(num_frames)
        distance = [np.abs(np.log(ASPECTS[name] * height / width)) for name in settings.aspects]
        sizes = np.array([size_of(name, settings.base_px) for name in settings.aspects], float)
        size = sizes[np.argmin(distance, axis=0)]
        too_small = np.maximum(size[:, 0] / width, size[:, 1] / height) > MAX_ENLARGEMENT
        fps = np.where(duration_s > 0, num_frames / duration_s, 0.0)
    fits, has_frames = duration_s == 0, duration_s == 0
    for duration in (one for one in DURATIONS if one.name in settings.durations):
        inside = (duration_s >= duration.min_s) & (duration_s < duration.max_s)
        taken_s = duration.centre_s or duration_s
        enough = taken_s * fps >= duration.num_frames * (1 - settings.max_repeated_share)
        fits, has_frames = fits | inside, has_frames | (inside & enough)
    codes = np.select([unscored, too_small, has_frames, fits], [0, 1, 2, 3], 4)
    reasons = ("unscored", "size", None, "fps", "duration")
    return [reasons[code] for code in codes.tolist()]


def clip_bucket(shape: Sequence[float | None], settings: BucketSettings) -> Bucket | str:
    """`bucket_for` a clip by its measures `SHAPE`; `unscored` where one it needs is missing."""
    duration_s, num_frames, width, height, content_width, content_height = shape
    if settings.crop_borders and content_width and content_height:
        width, height = content_width, content_height
    if duration_s is None or num_frames is None or not width or not height:
        return "unscored"
    fps = num_frames / duration_s if duration_s else 0.0
    return bucket_for(duration_s, width, height, fps, settings)
