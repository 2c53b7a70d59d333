"""The one decode pass over a video: what is measured of frames, of pairs, and of a few pictures.

Nothing here knows of shots or clips: those are found afterwards, from the series that the pass
leaves behind (`curation.clips`). Per frame it keeps a handful of numbers; pictures go to a scratch
file as JPEG as soon as they are taken. So memory does not grow with the length of the video.

Decoding empties the processor's caches. So frames are reduced one by one, and measured `CHUNK` at a
time: code and tables stay warm, which takes a twelfth off the pass.

What need not see every frame samples, and says so: VMAF motion takes every pair but few rows;
codec vectors are read from `vectors_hz` P frames a second; the camera is followed over `camera_hz`
pairs a second, each starting where the last one ended; pictures are taken a few times per clip.
"""

from array import array
from dataclasses import dataclass, field
from typing import BinaryIO

import cv2
import numpy as np

from curation.detectors import ShotSettings
from curation.jumps import ContentScorer, Jump
from curation.media.decode import TIME_SLACK_S, Frame, PictureType, motion_vectors
from curation.media.planes import Plane, views
from curation.media.rendering import render
from curation.settings import Settings
from curation.signals.camera import REGIONS, CameraStep, camera_step
from curation.signals.picture import colourfulness, exposure, sharpness
from curation.signals.repeats import FrameDifference, frame_difference
from curation.signals.slideshow import unexplained_px
from curation.signals.vectors import PairMotion, VectorEstimator, codec_vectors, pair_motion
from curation.signals.vmaf_motion import rows_for_both, vmaf_motion_of_rows
from curation.small_frames import SmallFrames

CHUNK = 64
"""Frames that are measured in one go."""

LOOK_PX = (128, 72)
"""Size at which light and colour of a picture are measured."""


class MeasureSettings(Settings):
    """How densely the decode pass measures what need not see every frame."""

    camera_hz: float = 4.0
    """Pairs of frames per second over which the camera is followed."""

    vectors_hz: float = 2.0
    """P frames per second whose motion vectors are read."""


class FrameSettings(Settings):
    """The pictures that are stored of every clip, for models and for people."""

    count: int = 4
    """Pictures per clip, about evenly spaced: the pass takes one every (shortest clip / count)."""

    long_side_px: int = 640
    """Longer side of a picture, px; smaller videos are not enlarged."""

    quality: int = 90
    """JPEG quality, 1 to 100."""


@dataclass(frozen=True, slots=True)
class Still:
    """A picture taken during the pass: its frame, its place in the scratch file, how it looks."""

    frame: int
    offset: int
    size_bytes: int
    look: dict[str, float]


@dataclass(frozen=True, slots=True)
class Step:
    """What moved from frame `first` to frame `last`; times count from the video's start."""

    first: int
    last: int
    camera: CameraStep
    unexplained_px: float
    motion: PairMotion


@dataclass(slots=True)
class View:
    """What is kept of a frame until it is measured: copies, so that the frame itself is let go.

    A frame that is held keeps the decoder from using its buffer again.
    """

    index: int
    time_s: float
    width: int
    """px, as stored."""
    height: int
    bgr: Plane
    luma: Plane
    rows: Plane
    """The rows that are compared with the frame before."""
    next_rows: Plane
    """The rows that are compared with the frame after."""


@dataclass(slots=True)
class Series:
    """What the pass leaves behind; index `i` of an array is frame `i` in presentation order."""

    times_s: "array[float]" = field(default_factory=lambda: array("d"))
    content: "array[float]" = field(default_factory=lambda: array("f"))
    brightness: "array[float]" = field(default_factory=lambda: array("f"))
    change: "array[float]" = field(default_factory=lambda: array("f"))
    peak_change: "array[float]" = field(default_factory=lambda: array("f"))
    vmaf_motion: "array[float]" = field(default_factory=lambda: array("f"))
    vectors: list[tuple[int, PairMotion]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    stills: list[Still] = field(default_factory=list)
    jumps: dict[int, Jump] = field(default_factory=dict)


class DecodePass:
    """Takes frames one by one; `finish` tells what was measured of them."""

    def __init__(
        self,
        width: int,
        height: int,
        rotation_deg: int,
        frame_s: float,
        settings: tuple[ShotSettings, MeasureSettings, FrameSettings],
        still_every_s: float,
        spool: BinaryIO,
        small_frames: SmallFrames | None = None,
    ) -> None:
        """Prepares for a video.

        Args:
            width: display width, px.
            height: display height, px.
            rotation_deg: turn from the stored to the displayed frame.
            frame_s: seconds from frame to frame, as far as the container knows.
            settings: detectors, sampling rates, pictures.
            still_every_s: seconds from picture to picture.
            spool: a scratch file for the pictures.
            small_frames: takes a tiny copy of every frame, if given.
        """
        shots, self._measures, self._pictures = settings
        self._scorer = ContentScorer(shots, 1.0 / frame_s)
        self._series = Series()
        self._rotation_deg = rotation_deg
        scale = min(1.0, self._pictures.long_side_px / max(width, height))
        self._picture_px = (max(1, round(width * scale)), max(1, round(height * scale)))
        self._still_every_s, self._spool = still_every_s, spool
        self._small_frames = small_frames
        self._estimate = VectorEstimator()
        self._views: list[View] = []
        self._previous: View | None = None
        self._anchor: View | None = None
        self._last_reference = 0
        self._next_vectors_s = 0.0
        self._next_still_s = 0.0

    def add(self, frame: Frame) -> None:
        """Takes the next frame in presentation order."""
        stored, small, bgr = views(frame.picture)
        rows, next_rows = rows_for_both(stored, frame.index)
        width, height = frame.picture.width, frame.picture.height
        self._views.append(
            View(frame.index, frame.time_s, width, height, bgr, small, rows, next_rows)
        )
        self._vectors(frame)
        if frame.time_s >= self._next_still_s - TIME_SLACK_S:
            self._next_still_s = frame.time_s + self._still_every_s
            self._still(frame, stored)
        if len(self._views) == CHUNK:
            self._measure()

    def finish(self) -> Series:
        """What was measured of all frames."""
        self._measure()
        self._series.jumps = self._scorer.jumps
        return self._series

    def _measure(self) -> None:
        series, views = self._series, self._views
        self._views = []
        for view in views:
            series.times_s.append(view.time_s)
            series.content.append(self._scorer(view.bgr, view.luma))
            series.brightness.append(sum(cv2.mean(view.bgr)[:3]) / 3.0)
            if self._small_frames is not None:
                self._small_frames.append(view.bgr)
        for view in views:
            self._pair(view)
        for view in views:
            self._camera(view)

    def _pair(self, view: View) -> None:
        motion, change = 0.0, FrameDifference(0.0, 0.0)
        before, self._previous = self._previous, view
        if (
            before is not None
            and before.next_rows.shape == view.rows.shape
            and before.luma.shape == view.luma.shape
        ):
            motion = vmaf_motion_of_rows(before.next_rows, view.rows)
            change = frame_difference(before.luma, view.luma)
        self._series.vmaf_motion.append(motion)
        self._series.change.append(change.mean)
        self._series.peak_change.append(change.peak)

    def _vectors(self, frame: Frame) -> None:
        kind = frame.picture.pict_type
        if kind == PictureType.B:
            return
        span = max(1, frame.index - self._last_reference)
        self._last_reference = frame.index
        if kind != PictureType.P or frame.time_s < self._next_vectors_s - TIME_SLACK_S:
            return
        exported = motion_vectors(frame.picture)
        if exported is None:
            return
        self._next_vectors_s = frame.time_s + 1.0 / self._measures.vectors_hz
        picture = frame.picture
        found = codec_vectors(exported, picture.width, picture.height, span)
        if found is not None:
            self._series.vectors.append((frame.index, pair_motion(found)))

    def _camera(self, view: View) -> None:
        anchor = self._anchor
        if anchor is None or anchor.luma.shape != view.luma.shape:
            self._anchor = view
            return
        seconds = view.time_s - anchor.time_s
        if seconds < 1.0 / self._measures.camera_hz - TIME_SLACK_S:
            return
        self._anchor = view
        width, height, span = view.width, view.height, view.index - anchor.index
        vectors = self._estimate(anchor.luma, view.luma, width, height, span)
        middle_s = anchor.time_s + seconds / 2
        camera = camera_step(vectors, width, height, middle_s, seconds, self._rotation_deg)
        unexplained = unexplained_px(anchor.luma, view.luma, camera, seconds)
        camera = turned(camera, self._rotation_deg, width / height)
        motion = pair_motion(vectors)
        self._series.steps.append(Step(anchor.index, view.index, camera, unexplained, motion))

    def _still(self, frame: Frame, stored_luma: Plane) -> None:
        rgb = render(frame.picture, *self._picture_px, self._rotation_deg)
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        small = np.asarray(cv2.resize(bgr, LOOK_PX), np.uint8)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
        light = exposure(grey, full_range=True)
        look = light._asdict() | {
            "sharpness": sharpness(stored_luma),
            "colourfulness": colourfulness(small),
        }
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._pictures.quality]
        done, jpeg = cv2.imencode(".jpg", bgr, quality)
        assert done
        still = Still(frame.index, self._spool.tell(), jpeg.size, look)
        self._spool.write(jpeg.tobytes())
        self._series.stills.append(still)


def turned(step: CameraStep, rotation_deg: int, aspect: float) -> CameraStep:
    """A step measured on stored frames, as seen after the turn that the container asks for.

    Args:
        step: the step.
        rotation_deg: 0, 90, 180 or 270, clockwise.
        aspect: width over height of the stored frames.
    """
    if rotation_deg == 0:
        return step
    # A pan of stored frames, in their widths, is a tilt in the heights of frames that lie turned.
    pairs = [("pan", "tilt"), *((f"{region}_pan", f"{region}_tilt") for region in REGIONS)]
    pairs += [("subject_x", "subject_y"), ("subject_right", "subject_up")]
    sine, cosine = {90: (1, 0), 180: (0, -1), 270: (-1, 0)}[rotation_deg]
    values = step._asdict()
    for pan, tilt in pairs:
        values[pan] = cosine * getattr(step, pan) + sine * getattr(step, tilt)
        values[tilt] = cosine * getattr(step, tilt) - sine * getattr(step, pan)
    values["bend_x"] = cosine * step.bend_x - sine * step.bend_y
    values["bend_y"] = cosine * step.bend_y + sine * step.bend_x
    if sine:
        for name in ("residual", "ahead", "behind", "stray"):
            values[name] /= aspect
        for name in ("keystone", "bend_x", "bend_y"):
            values[name] *= aspect
    return CameraStep(**values)
