"""Made scenes in depth, seen by a pinhole camera that turns, moves and zooms as told.

A scene is a list of textured rectangles in space: a wall all around, a ground, boxes, and at times
a flat picture alone. Each is drawn by its homography, the farther before the nearer. Axes are those
of the picture: x to the right, y down, z away from the camera; lengths are metres.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.accuracy.rendering import Picture

WIDTH, HEIGHT = 640, 360

EYE_M = 1.5
"""The ground is this far below the camera's first place."""

NEAREST_M = 0.3
"""Rectangles with a corner nearer than this, or behind the camera, are not drawn."""

WALLS = 8
"""Corners of the wall all around."""

TILES = 6
"""Tiles of the ground along each side: each is drawn from the size of texture that suits it."""

Vector = npt.NDArray[np.float64]
"""`[3]`."""


class Pose(NamedTuple):
    """Where the camera is, and how it looks."""

    place: Vector
    """Metres."""

    yaw: float
    """To the right, radians."""

    pitch: float
    """Upwards, radians."""

    focal: float
    """Focal length, frame widths."""


class Rectangle(NamedTuple):
    """A textured rectangle in space."""

    pyramid: tuple[Picture, ...]
    """The texture, and halves of it."""

    origin: Vector
    across: Vector
    """Along the texture's upper edge."""

    down: Vector
    speed: Vector
    """Metres per second."""

    backdrop: bool
    """Drawn before everything that is not."""


def rectangle(
    picture: Picture,
    origin: Sequence[float],
    across: Sequence[float],
    down: Sequence[float],
    speed: Sequence[float] = (0.0, 0.0, 0.0),
    backdrop: bool = False,
) -> Rectangle:
    """The picture between `origin`, `origin + across` and `origin + down`."""
    pyramid = [picture]
    while min(pyramid[-1].shape[:2]) > 16:
        pyramid.append(np.asarray(cv2.pyrDown(pyramid[-1]), np.uint8))
    start, right, below, going = (np.array(one, float) for one in (origin, across, down, speed))
    return Rectangle(tuple(pyramid), start, right, below, going, backdrop)


def seen(scene: Sequence[Rectangle], poses: Sequence[Pose], fps: float) -> Iterator[Picture]:
    """What the camera sees at each pose, `[HEIGHT, WIDTH, 3]` a frame."""
    for index, pose in enumerate(poses):
        frame = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
        now = [one._replace(origin=one.origin + one.speed * (index / fps)) for one in scene]
        for one in sorted(now, key=lambda one: (not one.backdrop, -_distance(one, pose))):
            _draw(frame, one, pose)
        yield frame


def around(picture: Picture, radius: float, tall: float) -> list[Rectangle]:
    """A wall with eight corners, `tall` metres high, its middle at the height of the eye."""
    corners = np.pi / WALLS * (2 * np.arange(WALLS + 1) - WALLS)
    wide = picture.shape[1] // WALLS
    found = []
    for index, (left, right) in enumerate(pairwise(corners)):
        start = np.array([np.sin(left), 0, np.cos(left)]) * radius
        end = np.array([np.sin(right), 0, np.cos(right)]) * radius
        part = np.ascontiguousarray(picture[:, index * wide : (index + 1) * wide])
        origin = (start[0], -tall / 2, start[2])
        edge = (end - start).tolist()
        found.append(rectangle(part, origin, edge, (0, tall, 0), backdrop=True))
    return found


def floor(picture: Picture, reach: float, level: float) -> list[Rectangle]:
    """A square at this level below the eye, in tiles, `reach` metres to each side."""
    step = 2 * reach / TILES
    high, wide = picture.shape[0] // TILES, picture.shape[1] // TILES
    return [
        rectangle(
            np.ascontiguousarray(picture[z * high : (z + 1) * high, x * wide : (x + 1) * wide]),
            (x * step - reach, level, reach - z * step),
            (step, 0, 0),
            (0, 0, -step),
            backdrop=True,
        )
        for z in range(TILES)
        for x in range(TILES)
    ]


def box(
    picture: Picture,
    middle: tuple[float, float],
    size: tuple[float, float, float],
    level: float = EYE_M,
    speed: Sequence[float] = (0.0, 0.0, 0.0),
) -> list[Rectangle]:
    """Four upright sides: `middle` in x and z, `size` across, high and deep, on the level."""
    (x, z), (wide, high, deep) = middle, size
    top = level - high
    half = picture.shape[1] // 2
    sides = (
        ((x - wide / 2, top, z - deep / 2), (wide, 0, 0)),
        ((x + wide / 2, top, z - deep / 2), (0, 0, deep)),
        ((x + wide / 2, top, z + deep / 2), (-wide, 0, 0)),
        ((x - wide / 2, top, z + deep / 2), (0, 0, -deep)),
    )
    parts = [np.ascontiguousarray(part) for part in (picture[:, :half], picture[:, half:])]
    return [
        rectangle(parts[index % 2], origin, across, (0, high, 0), speed)
        for index, (origin, across) in enumerate(sides)
    ]


def _distance(one: Rectangle, pose: Pose) -> float:
    return float(np.linalg.norm(one.origin + (one.across + one.down) / 2 - pose.place))


def _draw(frame: Picture, one: Rectangle, pose: Pose) -> None:
    yaw, pitch = pose.yaw, pose.pitch
    turn = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array(
        [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
    )
    focal = pose.focal * WIDTH
    lens = np.array([[focal, 0, (WIDTH - 1) / 2], [0, focal, (HEIGHT - 1) / 2], [0, 0, 1]])
    plane = np.column_stack([one.across, one.down, one.origin - pose.place])
    matrix = lens @ nod @ turn @ plane
    corners = matrix @ np.array([[0, 1, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1]])
    if corners[2].min() < NEAREST_M:
        if one.backdrop and corners[2].max() > NEAREST_M:
            _draw_before_the_camera(frame, one.pyramid[0], matrix)
        return
    x, y = corners[:2] / corners[2]
    left, top = max(0, int(x.min())), max(0, int(y.min()))
    right, bottom = min(WIDTH, int(x.max()) + 2), min(HEIGHT, int(y.max()) + 2)
    area = 0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1))
    # A box's far sides are seen from behind: their corners run the other way.
    if left >= right or top >= bottom or (area <= 0 and not one.backdrop):
        return
    high, wide = one.pyramid[0].shape[:2]
    finer = 0.5 * np.log2(max(high * wide / max(abs(area), 1.0), 1.0))
    texture = one.pyramid[min(round(finer), len(one.pyramid) - 1)]
    shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]])
    scale = np.diag([1 / (texture.shape[1] - 1), 1 / (texture.shape[0] - 1), 1])
    place = frame[top:bottom, left:right]
    place[:] = cv2.warpPerspective(
        texture,
        shift @ matrix @ scale,
        (right - left, bottom - top),
        place.copy(),
        cv2.INTER_LINEAR,
        cv2.BORDER_TRANSPARENT,
    )


def _draw_before_the_camera(
    frame: Picture, texture: Picture, matrix: npt.NDArray[np.float64]
) -> None:
    """A rectangle that reaches behind the camera: only what is before it is seen."""
    scale = np.diag([1 / (texture.shape[1] - 1), 1 / (texture.shape[0] - 1), 1])
    back = np.linalg.inv(matrix @ scale)[2]
    before = back[0] * np.arange(WIDTH) + (back[1] * np.arange(HEIGHT) + back[2])[:, None] > 0
    drawn = cv2.warpPerspective(
        texture,
        matrix @ scale,
        (WIDTH, HEIGHT),
        frame.copy(),
        cv2.INTER_LINEAR,
        cv2.BORDER_TRANSPARENT,
    )
    np.copyto(frame, np.asarray(drawn, np.uint8), where=before[..., None])
