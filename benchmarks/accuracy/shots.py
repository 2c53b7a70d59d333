"""Clips of the 16 camera motions in made scenes: what stands where, and where the camera goes.

Speeds are those of the picture: a truck is as fast as a pan, measured where the camera looks.
Twelve frames a second are drawn, three from one frame of a pair to the other.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.accuracy.rendering import Picture, shaken, steady, texture
from benchmarks.accuracy.scenes import (
    EYE_M,
    HEIGHT,
    WIDTH,
    Pose,
    Rectangle,
    around,
    box,
    floor,
    rectangle,
    seen,
)

FPS = 12
SECONDS = 4.0
NUM_FRAMES = round(SECONDS * FPS) + 1
TALL = HEIGHT / WIDTH

SPEEDS = ("slow", "middle", "fast")
ACROSS = (0.04, 0.1, 0.22)
"""Pan, truck and tracking shot: frame widths per second."""

UP = (0.05, 0.12, 0.25)
"""Tilt and pedestal: frame heights per second."""

GROWTH = (0.05, 0.12, 0.25)
"""Zoom and push: natural log of the scale per second, of a push where it looks."""

TURN_DEG = (5.0, 10.0, 20.0)
"""Arc, degrees per second."""

HAND = (0.004, 0.008, 0.016)
"""RMS of a hand's shake, frame heights."""

HAND_ON_TOP = 0.002
"""RMS of the shake that is put on other motions."""

WALK_M = 1.2
"""Metres per second of a subject of its own, where the camera looks 6 m far."""

TRIES = 50
"""Places that are tried for a box before it is left out: small rooms have no room for an arc."""

MIXTURES = ("pan and zoom", "pan and tilt", "push and pan")
"""Two motions at once that shift the picture alike: no class is right."""


class Place(NamedTuple):
    """A scene, and how the camera sees it."""

    scene: list[Rectangle]

    distance: float
    """Metres to what the camera looks at."""

    focal: float
    """Focal length, frame widths."""


class Shot(NamedTuple):
    """A clip to make."""

    name: str
    """A class, or a mixture."""

    speed: int
    """Which of `SPEEDS`."""

    mover: bool
    """A subject walks through the picture."""

    shaky: bool
    """A hand's shake comes on top."""

    seed: int


def scene_pictures(footage: Path | None, seed: int) -> list[Picture]:
    """Six pictures of 2400x1600: of videos of the folder, or made ones."""
    if footage is None:
        return [texture(10 * seed + index) for index in range(6)]
    videos = sorted(path for path in footage.iterdir() if path.suffix in {".mp4", ".mkv"})
    step = max(1, len(videos) // 6)
    found = []
    for path in videos[(3 + 5 * seed) % step :: step][:6]:
        with av.open(str(path)) as container:
            picture = next(islice(container.decode(video=0), 30, None)).to_ndarray(format="bgr24")
        found.append(np.asarray(cv2.resize(picture, (2400, 1600)), np.uint8))
    return found


def deep_place(pictures: Sequence[Picture], kind: str, generator: np.random.Generator) -> Place:
    """A room or a square: a wall all around, a ground, and boxes that leave the way free."""
    back, ground, things = (pictures[i] for i in generator.permutation(len(pictures))[:3])
    outdoors = bool(generator.random() < 0.6)
    radius = float(generator.uniform(18, 40) if outdoors else generator.uniform(5, 8))
    distance = float(generator.uniform(5, 8) if outdoors else generator.uniform(2.5, 3.5))
    scene = around(_tiled(_half(back), 4), radius, 1.6 * radius)
    scene += floor(np.vstack([_tiled(_half(ground), 2)] * 2), radius, EYE_M)
    if not outdoors:
        scene += floor(_half(back), radius, -1.4)
    for _ in range(int(generator.integers(5, 12))):
        places = generator.uniform([-1.8, 0.6], [1.8, 3.0], (TRIES, 2)) * distance
        free = [one for one in places if _free(kind, one[0], one[1], distance, radius)]
        if not free:
            continue
        x, z = free[0]
        size = generator.uniform([0.08, 0.15, 0.08], [0.25, 0.55, 0.25]) * distance
        scene += box(_patch(things, generator), (x, z), (size[0], size[1], size[2]))
    return Place(scene, distance, _focal(generator))


def flat_place(
    pictures: Sequence[Picture], slant_deg: float, generator: np.random.Generator
) -> Place:
    """One picture, 40 m wide and 10 m away, turned to the side by up to `slant_deg`."""
    picture = pictures[int(generator.integers(len(pictures)))]
    turn = np.radians(generator.uniform(-slant_deg, slant_deg))
    across = np.array([np.cos(turn), 0, np.sin(turn)]) * 40
    down = np.array([0, 22.5, 0])
    origin = np.array([0, 0, 10]) - across / 2 - down / 2
    scene = [rectangle(picture, origin.tolist(), across.tolist(), down.tolist(), backdrop=True)]
    return Place(scene, 10.0, _focal(generator))


def frames_of(
    shot: Shot, pictures: Sequence[Picture], slant_deg: float | None
) -> Iterator[Picture]:
    """The frames of a clip.

    Args:
        shot: what it shows.
        pictures: its textures.
        slant_deg: of a flat scene; None for a deep one.
    """
    generator = np.random.default_rng(shot.seed)
    if slant_deg is None:
        place = deep_place(pictures, shot.name, generator)
    else:
        place = flat_place(pictures, slant_deg, generator)
    scene = [*place.scene, *_subjects(shot, place, pictures, generator)]
    # Who is followed walks at one speed, and so does who follows.
    eased = bool(generator.random() < 0.5) and shot.name != "tracking shot"
    poses = _poses(shot, place, eased)
    rms = HAND[shot.speed] if shot.name == "handheld shot" else HAND_ON_TOP * shot.shaky
    return seen(scene, _by_hand(poses, rms, generator), FPS)


def _subjects(
    shot: Shot, place: Place, pictures: Sequence[Picture], generator: np.random.Generator
) -> list[Rectangle]:
    """What the camera follows or circles, and who walks through the picture."""
    found: list[Rectangle] = []
    distance, unit = place.distance, place.distance / place.focal
    picture = pictures[int(generator.integers(len(pictures)))]
    if shot.name in ("arc shot", "tracking shot"):
        walk = ACROSS[shot.speed] * unit if shot.name == "tracking shot" else 0.0
        size = (0.22 * unit, 0.42 * unit, 0.2 * unit)
        start = (-walk * SECONDS / 2, distance)
        found += box(_patch(picture, generator), start, size, 0.25 * unit, (walk, 0, 0))
    if shot.mover:
        way = float(generator.choice([-1, 1])) * WALK_M * distance / 6
        size = (0.1 * distance, 0.3 * distance, 0.07 * distance)
        depth = distance * (1.4 if found else 0.9)
        patch = _patch(picture, generator)
        found += box(patch, (-2 * way, depth), size, EYE_M, (way, 0, 0))
    return found


def _poses(shot: Shot, place: Place, eased: bool) -> list[Pose]:
    """Where a steady camera is in each frame."""
    run = np.linspace(0, 1, NUM_FRAMES)
    if eased:
        run = run - 0.8 * np.sin(2 * np.pi * run) / (2 * np.pi)
    times = (run - 0.5) * SECONDS
    words = shot.name.split()
    sign = -1.0 if words[-1] in ("left", "down", "out") else 1.0
    moves = MOVES.get(shot.name) or MOVES[words[0]]
    x, y, z, yaw, pitch, log_focal = moves(shot.speed, place, sign * times)
    return [
        Pose(
            np.array([x[i], y[i], z[i]]),
            yaw[i],
            pitch[i],
            place.focal * float(np.exp(log_focal[i])),
        )
        for i in range(NUM_FRAMES)
    ]


Axis = npt.NDArray[np.float64]
"""`[T]`."""


def _axes(**moved: Axis) -> tuple[Axis, ...]:
    """x, y, z, yaw, pitch and log focal length of every frame."""
    names = ("x", "y", "z", "yaw", "pitch", "log_focal")
    return tuple(moved.get(name, np.zeros(NUM_FRAMES)) for name in names)


def _arc(speed: int, place: Place, times: Axis) -> tuple[Axis, ...]:
    angle = np.radians(TURN_DEG[speed]) * times
    x, z = place.distance * np.sin(angle), place.distance * (1 - np.cos(angle))
    return _axes(x=x, z=z, yaw=-angle)


def _pedestal(speed: int, place: Place, times: Axis) -> tuple[Axis, ...]:
    # The camera comes down to where it goes up from: below, there is ground.
    way = UP[speed] * TALL / place.focal * place.distance
    return _axes(y=-way * (times - times.min()))


def _push(speed: int, place: Place, times: Axis) -> tuple[Axis, ...]:
    return _axes(z=0.8 * GROWTH[speed] * place.distance * (times - times.min()))


def _pan(speed: int, place: Place, times: Axis) -> Axis:
    return ACROSS[speed] / place.focal * times


def _tilt(speed: int, place: Place, times: Axis) -> Axis:
    return UP[speed] * TALL / place.focal * times


def _truck(speed: int, place: Place, times: Axis) -> tuple[Axis, ...]:
    return _axes(x=ACROSS[speed] / place.focal * place.distance * times)


def _still(speed: int, place: Place, times: Axis) -> tuple[Axis, ...]:
    return _axes()


MOVES: dict[str, Callable[[int, Place, Axis], tuple[Axis, ...]]] = {
    "zoom": lambda s, p, t: _axes(log_focal=GROWTH[s] * t),
    "push": _push,
    "pull": _push,
    "pan": lambda s, p, t: _axes(yaw=_pan(s, p, t)),
    "truck": _truck,
    "tilt": lambda s, p, t: _axes(pitch=_tilt(s, p, t)),
    "pedestal": _pedestal,
    "arc": _arc,
    "tracking": _truck,
    "static": _still,
    "handheld": _still,
    # As far across as the mean point of the picture grows.
    "pan and zoom": lambda s, p, t: _axes(
        yaw=GROWTH[s] * 0.3 / p.focal * t, log_focal=GROWTH[s] * t
    ),
    "pan and tilt": lambda s, p, t: _axes(yaw=_tilt(s, p, t), pitch=_tilt(s, p, t)),
    "push and pan": lambda s, p, t: _axes(yaw=GROWTH[s] * 0.15 / p.focal * t, z=_push(s, p, t)[2]),
}
"""What the camera does, by the name of the motion or its first word."""


def _by_hand(poses: list[Pose], rms: float, generator: np.random.Generator) -> list[Pose]:
    if not rms:
        return poses
    # Drawn for 24 frames a second, of which every second one is taken.
    hand = shaken(steady(seconds=SECONDS * 24 / FPS), rms, generator)
    return [
        pose._replace(
            yaw=pose.yaw + float(hand.x[2 * index]) / pose.focal,
            pitch=pose.pitch + float(hand.y[2 * index]) * TALL / pose.focal,
        )
        for index, pose in enumerate(poses)
    ]


def _free(kind: str, x: float, z: float, distance: float, radius: float) -> bool:
    """Whether a box may stand there: within the wall, and out of the camera's way."""
    if np.hypot(x, z) > 0.85 * radius:
        return False
    if kind in ("arc shot", "tracking shot"):
        return float(np.hypot(x, z - distance)) > 1.35 * distance
    forward = kind.startswith(("push", "pull"))
    return not forward or abs(x) > 0.25 * distance or z > 1.6 * distance


def _focal(generator: np.random.Generator) -> float:
    """Of a lens that sees 45 to 75 degrees across."""
    return float(generator.uniform(0.65, 1.2))


def _half(picture: Picture) -> Picture:
    return np.asarray(
        cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8
    )


def _patch(picture: Picture, generator: np.random.Generator) -> Picture:
    """A part of the picture at half its size: detail at the size of the frame."""
    y, x = (int(generator.integers(0, side - 480)) for side in picture.shape[:2])
    return _half(picture[y : y + 480, x : x + 480])


def _tiled(picture: Picture, times: int) -> Picture:
    """The picture and its mirror image side by side."""
    return np.ascontiguousarray(np.hstack([picture, picture[:, ::-1]] * (times // 2)))
