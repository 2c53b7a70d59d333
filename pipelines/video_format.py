"""The form of videos: of those that a stage was trained on, and of those that are asked for."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds

from curation.buckets import ASPECTS, Aspect, size_of
from curation.tables import OK
from training.generate import VideoShape
from training.pixels import bucket_size, taken_frames
from training.run_folder import RunFolder
from training.settings import LatentsSettings, StageSettings

DATA = "data.json"
"""In the folder of a stage: what it is trained on."""

USUAL_FPS = 16.0
"""Of videos by a stage that saw only images."""


@dataclass(frozen=True)
class Format:
    """The form of a video."""

    shape: VideoShape
    fps: float | None
    """None for an image."""

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self.shape) | {"fps": self.fps}


def format_of_samples(
    dataset: ds.Dataset, stage: StageSettings, settings: LatentsSettings
) -> Format:
    """The form of most of the samples, as pixels; of a stage on images alone, that of an image.

    Args:
        dataset: the rows of `latents/<subset>` or `shards/<subset>`.
        stage: which of the two, and whether it sees clips.
        settings: how shards become latents.
    """
    rows = dataset.to_table(
        ["num_frames", "width", "height", "fps"], filter=pc.field("status") == OK
    )
    shapes = Counter(zip(*(rows[name].to_pylist() for name in rows.column_names[:3]), strict=True))
    [((num_frames, width, height), _)] = shapes.most_common(1)
    fps = pc.approximate_median(rows["fps"]).as_py()
    if stage.data.source == "shards":
        num_frames = len(taken_frames(num_frames, settings))
        fps = fps and fps / settings.frame_stride
        if settings.base_px is not None:
            width, height = bucket_size(
                nearest_aspect(width, height), width, height, settings.base_px
            )
    if stage.data.image_share == 1 or num_frames == 1:
        return Format(VideoShape(1, height, width), None)
    return Format(VideoShape(num_frames, height, width), fps)


def typical_format(run: RunFolder, stage: str) -> Format:
    """The form of most samples that a stage was trained on.

    Raises:
        ValueError: the stage has not said so.
    """
    path = run.stage(stage) / DATA
    try:
        found = read_json(path)["typical"]
        shape = VideoShape(found["num_frames"], found["height"], found["width"])
        return Format(shape, found["fps"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} does not say what the stage was trained on: {error!r}") from error


def read_json(path: Path) -> Mapping[str, Any]:
    """What a file of JSON holds.

    Raises:
        OSError, ValueError: it is missing, or no JSON.
    """
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def asked_format(
    typical: Format,
    aspect: Aspect | None,
    base_px: int | None,
    num_frames: int | None,
    fps: float | None,
) -> Format:
    """What is asked for, and what is not asked for as in training."""
    shape = typical.shape
    height, width = shape.height, shape.width
    if aspect or base_px:
        area_px = base_px or round((height * width) ** 0.5)
        width, height = size_of(aspect or nearest_aspect(width, height), area_px)
    frames = num_frames or shape.num_frames
    rate = None if frames == 1 else fps or typical.fps or USUAL_FPS
    return Format(VideoShape(frames, height, width), rate)


def nearest_aspect(width: int, height: int) -> Aspect:
    """The aspect of the buckets that a size is nearest to."""
    return min(ASPECTS, key=lambda name: abs(np.log(ASPECTS[name] * height / width)))
