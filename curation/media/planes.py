"""Cheap views of a decoded frame for measuring: its luma plane as it is, and small pictures.

Measured on one thread at 1280x720: the luma view 0.01 ms, the small pictures 0.13 ms, where
FFmpeg's own scaler (fast bilinear, straight to BGR) takes 0.6 ms. Rotation, sample aspect and
transfer are left as stored: use `rendering.render` for what a person or a model looks at.
"""

import math
from typing import NamedTuple

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.plane import VideoPlane
from cv2.typing import MatLike

Plane = npt.NDArray[np.uint8]

SMALL_WIDTH_PX = 256
"""Width of the small luma, the size to which PySceneDetect reduces frames as well."""

LEAST_ROWS = 0.93
"""Averaged rows of a large plane per row of the small one, at least."""

PLANAR_420_BITS = {"yuv420p": 8, "yuvj420p": 8, "yuv420p10le": 10, "yuv420p12le": 12}
"""The formats whose planes are used as they lie there, and their bits per sample."""


class Views(NamedTuple):
    """What measures look at, 8 bit, as stored."""

    luma: Plane
    """The luma plane, `[height, width]`: where the format allows it a view of the decoder's memory,
    valid as long as the picture."""

    small: Plane
    """Luma, 256 px wide, `[h, 256]`."""

    bgr: Plane
    """In colour, 128 px wide, `[h / 2, 128, 3]`."""


def views(picture: av.VideoFrame) -> Views:
    """The luma of a frame, and small pictures of it.

    Large frames are reduced by averaging halves of some of their rows, then by linear
    interpolation. A wide frame keeps at least 4 rows, a tall one is held to 1024 rows.
    """
    width = SMALL_WIDTH_PX
    height = min(4 * width, max(4, round(picture.height * width / picture.width / 4) * 4))
    half = (width // 2, height // 2)
    bits = PLANAR_420_BITS.get(picture.format.name)
    if bits is None:
        # Planar, packed, RGB, alpha, 4:2:2 …: one conversion makes them all the common case.
        grey = picture.reformat(format="gray", interpolation="POINT", threads=1)
        luma, bits = np.asarray(plane_of(grey.planes[0]), np.uint8), 0
    else:
        planes = [plane_of(plane, bits) for plane in picture.planes]
        luma = _eight_bit(planes[0], bits)
    if not bits or picture.width < width or picture.height < height:
        reduced = picture.reformat(width, height, "bgr24", interpolation="AREA", threads=1)
        bgr = np.asarray(reduced.to_ndarray(), np.uint8)
        small = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
        bgr = np.asarray(cv2.resize(bgr, half, interpolation=cv2.INTER_AREA), np.uint8)
        return Views(luma, small, bgr)
    small = _eight_bit(_reduced(planes[0], width, height), bits)
    buffer = np.empty((half[1] * 3 // 2, half[0]), np.uint8)
    buffer[: half[1]] = cv2.resize(small, half, interpolation=cv2.INTER_AREA)
    chroma = buffer[half[1] :].reshape(2, half[1] // 2, half[0] // 2)
    for index, plane in enumerate(planes[1:]):
        # Colour is smooth: it needs no averaging.
        chroma[index] = _eight_bit(cv2.resize(plane, (half[0] // 2, half[1] // 2)), bits)
    return Views(luma, small, np.asarray(cv2.cvtColor(buffer, cv2.COLOR_YUV2BGR_I420), np.uint8))


def plane_of(plane: VideoPlane, bits: int = 8) -> MatLike:
    """One stored plane, `[rows, columns]`: a view that is valid as long as its picture."""
    kind = np.dtype(np.uint8 if bits == 8 else np.uint16)
    strides = (plane.line_size, kind.itemsize)
    return np.ndarray((plane.height, plane.width), kind, memoryview(plane), strides=strides)


def _reduced(plane: MatLike, width: int, height: int) -> MatLike:
    rows, columns = plane.shape
    if rows < 2 * height or columns < 2 * width:
        return cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
    halvings = max(1, int(math.log2(columns / width)) - 1)
    # The memory of a large plane is what costs: rows that averaging does not need stay unread.
    plane = plane[:: max(1, int(rows / (LEAST_ROWS * height) / 2**halvings))]
    for _ in range(halvings):
        rows, columns = plane.shape[0] // 2, plane.shape[1] // 2
        # Exact halves take OpenCV's fast path: averaging by another factor is 15 times slower.
        plane = cv2.resize(
            plane[: rows * 2, : columns * 2], (columns, rows), interpolation=cv2.INTER_AREA
        )
    # Two columns of 2.5 or more would be taken: the others are to have their say as well.
    plane = cv2.GaussianBlur(plane, (3, 1), 0)
    return cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)


def _eight_bit(plane: MatLike, bits: int) -> Plane:
    scaled = plane if bits == 8 else cv2.convertScaleAbs(plane, alpha=2.0 ** (8 - bits))
    return np.asarray(scaled, np.uint8)
