"""What a clip measures: the `MEASURES` columns, from the series of the decode pass."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from curation.analysis import Series, Step, Still
from curation.detectors import ShotSettings, content_cuts
from curation.signals.borders import Rectangle, border_share, content_rectangle
from curation.signals.camera import camera_motion
from curation.signals.repeats import FrameDifference, frozen_share, repeated_share
from curation.signals.slideshow import slideshow_share
from curation.signals.vectors import clip_motion
from curation.windows import Window

AROUND_S = 3.0
"""`shots_per_s` looks this far beyond both ends of a clip: a shaking shot is split into short
ones."""

MIN_SHOT_S = 0.6
"""Nearer cuts count once in `shots_per_s`: PySceneDetect's own default."""

Times = npt.NDArray[np.float64]


def measures(
    window: Window,
    edges_s: Times,
    series: Series,
    shots: ShotSettings,
    display_px: tuple[int, int],
) -> dict[str, Any]:
    """The measures of one clip by column name, borders left out; motion is null for an image.

    Args:
        window: the frames of the clip.
        edges_s: when each frame of the video is shown, and when the last one ends, `[T + 1]`.
        series: what the decode pass measured.
        shots: holds the threshold of `shots_per_s`.
        display_px: width and height of the video as shown.
    """
    stills = [still for still in series.stills if window.start <= still.frame < window.end]
    picture = _look(stills)
    if window.end - window.start < 2:
        return picture
    duration_s = float(edges_s[window.end] - edges_s[window.start])
    fps = (window.end - window.start) / duration_s
    pairs = slice(window.start + 1, window.end)
    differences = [
        FrameDifference(mean, peak)
        for mean, peak in zip(series.change[pairs], series.peak_change[pairs], strict=True)
    ]
    steps = [step for step in series.steps if window.start <= step.first and step.last < window.end]
    return picture | {
        "motion_vmaf": float(np.mean(series.vmaf_motion[pairs])),
        **_vectors(window, series, steps),
        **_camera(steps, float(edges_s[window.start]), display_px[0] / display_px[1]),
        "shots_per_s": _shots_per_s(window, edges_s, series, shots.shake_threshold),
        "frozen_share": frozen_share(differences, fps),
        "repeated_share": repeated_share(differences, fps),
    }


def borders(pictures: list[bytes], display_px: tuple[int, int]) -> dict[str, Any]:
    """The border columns of a clip, from its stored pictures.

    Args:
        pictures: the clip's JPEGs, at least one.
        display_px: width and height of the video as shown, to which the rectangle is scaled.
    """
    lumas = [
        np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)
        for jpeg in pictures
    ]
    rows, columns = lumas[0].shape
    rectangle = content_rectangle(lumas)
    width, height = display_px
    across, down = width / columns, height / rows
    content = Rectangle(
        round(rectangle.x * across),
        round(rectangle.y * down),
        min(width, round(rectangle.width * across)),
        min(height, round(rectangle.height * down)),
    )
    return {
        "border_share": border_share(content, width, height),
        **{f"content_{name}": value for name, value in content._asdict().items()},
    }


def _look(stills: list[Still]) -> dict[str, Any]:
    """Means over the pictures taken in the clip."""
    names = stills[0].look if stills else ()
    return {name: float(np.mean([still.look[name] for still in stills])) for name in names}


def _vectors(window: Window, series: Series, steps: list[Step]) -> dict[str, Any]:
    # The first frame's vectors point before the clip.
    pairs = [
        pair for frame, pair in series.vectors if window.start + pair.span <= frame < window.end
    ]
    motion, source = clip_motion(pairs), "codec"
    if motion is None:
        motion, source = clip_motion([step.motion for step in steps]), "estimated"
    if motion is None:
        return {}
    return {
        "motion_vector_px": motion.mean_px,
        "motion_coverage": motion.coverage,
        "motion_vector_source": source,
    }


def _camera(steps: list[Step], start_s: float, aspect: float) -> dict[str, Any]:
    path = [step.camera._replace(time_s=step.camera.time_s - start_s) for step in steps]
    columns: dict[str, Any] = {
        "camera_path": [step._asdict() for step in path],
        "slideshow_share": slideshow_share(path, [step.unexplained_px for step in steps], aspect),
    }
    motion = camera_motion(path, aspect)
    if motion is not None:
        columns |= {f"camera_{name}": value for name, value in motion._asdict().items()}
    return columns


def _shots_per_s(window: Window, edges_s: Times, series: Series, threshold: float) -> float:
    first, last = np.searchsorted(
        edges_s, [edges_s[window.start] - AROUND_S, edges_s[window.end] + AROUND_S]
    )
    last = min(int(last), edges_s.size - 1)
    content = np.asarray(series.content[first:last], np.float32)
    seconds = float(edges_s[last] - edges_s[first])
    min_shot_frames = round(MIN_SHOT_S * content.size / seconds)
    return len(content_cuts(content, threshold, min_shot_frames)) / seconds
