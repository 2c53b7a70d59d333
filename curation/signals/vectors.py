"""Motion vectors of a pair of frames: the codec's own, or estimated by optical flow.

Codec vectors: decoders tell whether a vector points to the past or the future, but not how far.
Only for a P frame is that known: its nearest reference is the last I or P frame in presentation
order, and the frames between are the `span` to divide by. The plain mean over all vectors is no
px per frame: with x264's 3 B frames it is twice the true motion, while P frames over their span
are off by 5 to 8 % on average, and by a third where the picture holds hardly any detail
(`benchmarks/accuracy/motion.py`). Skipped blocks carry their predicted vector; intra blocks have
none and count as unknown, and a clip that is mostly unknown has to be estimated.

Estimated vectors: DIS flow (Kroeger et al. 2016) of a small pair, read off every 8 px. HEVC, VP9,
AV1 and Theora export no vectors, and the camera fit needs what an encoder does not promise:
vectors that follow the picture instead of the cheapest bits.

Cost on one thread: codec P frame at 1280x720 0.2 ms; estimated pair at 256x144 0.6 ms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

STILL_PX = 0.25
"""Vectors shorter than this, per frame, are no motion: the precision of H.264's vectors."""

LEAST_KNOWN_SHARE = 0.5
"""Below this share of area with a vector the codec found the motion too large to follow."""

GRID_PX = 8
"""Spacing at which the flow of the small pair is read."""

HOLDING_GRADIENT = 12
"""Luma steps within 3 px, on average around a point, that hold its vector well."""


@dataclass(frozen=True, slots=True)
class VectorField:
    """How points of the picture moved from one frame to a later one."""

    points: NDArray[np.complex64]
    """[N] x + iy at the later frame, px of the stored size from the picture's centre, y down."""

    displacements: NDArray[np.complex64]
    """[N] x + iy from the earlier frame to the later, px of the stored size, y down."""

    weights: NDArray[np.float32]
    """[N] area of the picture that the vector stands for, px."""

    texture: NDArray[np.float32]
    """[N] how well the picture holds the vector, 0 (flat area) to 1; codec vectors are all 1."""

    known_share: float
    """Share of the picture's area that has a vector, 0 to 1."""

    span: int
    """Frames from the earlier frame to the later one, at least 1."""


class PairMotion(NamedTuple):
    """The motion vectors of one pair of frames in three numbers."""

    mean_px: float
    """Mean length over the area with vectors, px of the stored size per frame."""

    coverage: float
    """Share of the area with vectors that moves by `STILL_PX` per frame or more."""

    known_share: float
    """Share of the picture's area that has a vector, 0 to 1."""

    span: int
    """Frames from the earlier frame to the later one."""


def codec_vectors(
    side_data: NDArray[np.void], width: int, height: int, span: int
) -> VectorField | None:
    """The motion vectors of a P frame, or None where all its blocks are intra coded.

    Args:
        side_data: `frame.side_data.get("MOTION_VECTORS").to_ndarray()` of PyAV, fields of FFmpeg's
            AVMotionVector.
        width: stored width, px.
        height: stored height, px.
        span: frames from the last I or P frame, in presentation order, to this one.
    """
    past = side_data["source"] < 0
    if not past.any():
        return None
    # FFmpeg keeps where the block came from, in fractions of a px: the content moved the other way.
    per_px = -1.0 / side_data["motion_scale"][past].astype(np.float32)
    # Column by column: whole records of 40 bytes take three times as long to pick.
    moved_x, moved_y, x, y, wide, high = (
        side_data[name][past] for name in ("motion_x", "motion_y", "dst_x", "dst_y", "w", "h")
    )
    weights = wide.astype(np.float32) * high
    return VectorField(
        points=_complex(x - width / 2, y - height / 2),
        displacements=_complex(moved_x * per_px, moved_y * per_px),
        weights=weights,
        texture=np.ones(weights.size, np.float32),
        known_share=min(1.0, float(weights.sum()) / (width * height)),
        span=span,
    )


class VectorEstimator:
    """Estimates the vectors of pairs of small frames; reads the flow on a grid."""

    def __init__(self) -> None:
        """Sets the flow up once: it keeps its pyramids between calls."""
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        # Half the preset's error in the camera for 0.25 ms more: flow at half size, not a quarter.
        self._flow.setFinestScale(1)
        self._flow.setPatchStride(8)

    def __call__(
        self,
        previous_luma: NDArray[np.uint8],
        luma: NDArray[np.uint8],
        width: int,
        height: int,
        span: int,
    ) -> VectorField:
        """The vectors between two frames on a grid of 8 px.

        Args:
            previous_luma: the earlier frame, scaled down with area averaging to [h, w].
            luma: the later frame, [h, w]; 144x256 is a good size.
            width: stored width, px: vectors are scaled up to it.
            height: stored height, px.
            span: frames from the earlier to the later.
        """
        # A flow that is handed in would be the first guess; an empty one is none.
        flow = self._flow.calc(
            np.ascontiguousarray(luma),
            np.ascontiguousarray(previous_luma),
            np.empty((0, 0), np.float32),
        )
        rows, columns = luma.shape
        half = GRID_PX // 2
        at = np.s_[half::GRID_PX, half::GRID_PX]
        scale_x, scale_y = width / columns, height / rows
        x = (np.arange(columns, dtype=np.float32)[half::GRID_PX] + 0.5) * scale_x - width / 2
        y = (np.arange(rows, dtype=np.float32)[half::GRID_PX] + 0.5) * scale_y - height / 2
        displacements = _complex(flow[..., 0][at] * -scale_x, flow[..., 1][at] * -scale_y)
        points = _complex(x[None, :], y[:, None])
        return VectorField(
            points=points.ravel(),
            displacements=displacements.ravel(),
            weights=np.full(points.size, width * height / points.size, np.float32),
            texture=_texture(luma)[at].ravel(),
            known_share=1.0,
            span=span,
        )


def pair_motion(field: VectorField) -> PairMotion:
    """Length and coverage of the vectors of one pair, weighted by area."""
    lengths = np.abs(field.displacements) / field.span
    area = float(field.weights.sum())
    moving = float(field.weights[lengths >= STILL_PX].sum())
    mean_px = float(lengths @ field.weights) / area
    return PairMotion(mean_px, moving / area, field.known_share, field.span)


def clip_motion(pairs: Sequence[PairMotion]) -> PairMotion | None:
    """The mean over the pairs of a clip, each counting for the frames it spans.

    Returns:
        None if there are no pairs or most of the picture had no vectors (the motion was too fast
        for the codec, or the clip is coded intra): estimate the vectors instead.
    """
    if not pairs:
        return None
    spans = [pair.span for pair in pairs]
    mean_px, coverage, known_share = np.average([pair[:3] for pair in pairs], axis=0, weights=spans)
    if known_share < LEAST_KNOWN_SHARE:
        return None
    return PairMotion(float(mean_px), float(coverage), float(known_share), sum(spans))


def _complex(real: NDArray[Any], imaginary: NDArray[Any]) -> NDArray[np.complex64]:
    shape = np.broadcast_shapes(real.shape, imaginary.shape)
    result = np.empty(shape, np.complex64)
    result.real, result.imag = real, imaginary
    return result


def _texture(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    # Flow in a flat area is made up from its surroundings.
    gradient = cv2.morphologyEx(luma, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    mean = cv2.blur(gradient, (GRID_PX, GRID_PX))
    return np.minimum(mean, HOLDING_GRADIENT).astype(np.float32) / np.float32(HOLDING_GRADIENT)
