"""Slideshows: what is left when the camera is undone, and runs of it."""

import cv2
import numpy as np
import pytest

from curation.signals.camera import CameraStep
from curation.signals.slideshow import slideshow_share, unexplained_px

ASPECT = 16 / 9


def view(pan: float = 0.0, tilt: float = 0.0, zoom: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """A camera's view of a textured picture after one second of a `CameraStep`, `[144, 256]`."""
    noise = np.random.default_rng(3).integers(0, 256, (400, 600), dtype=np.uint8)
    picture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    turn = np.exp(-zoom + 1j * np.radians(roll))
    centre = complex(300 + pan * 256, 200 - tilt * 144)
    offset = centre - turn * complex(127.5, 71.5)
    matrix = np.array([[turn.real, -turn.imag, offset.real], [turn.imag, turn.real, offset.imag]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, (256, 144), flags=flags)


def step(time_s: float = 0.5, pan: float = 0.0, tilt: float = 0.0) -> CameraStep:
    return CameraStep(time_s, pan, tilt, 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    "moved", [{"pan": 0.02}, {"tilt": -0.03}, {"zoom": 0.05}, {"roll": 2.0}, {}]
)
def test_the_camera_explains_a_moved_still(moved: dict[str, float]) -> None:
    camera = step()._replace(**moved)
    assert unexplained_px(view(), view(**moved), camera, seconds=1.0) < 0.1
    backwards = camera._replace(**{axis: -speed for axis, speed in moved.items()})
    if moved:
        assert unexplained_px(view(), view(**moved), backwards, seconds=1.0) > 0.3


def test_seconds_scale_the_step() -> None:
    assert unexplained_px(view(), view(pan=0.02), step(pan=0.08), seconds=0.25) < 0.1


def test_something_that_moves_on_its_own_is_left() -> None:
    now = view(pan=0.02)
    now[60:76, 100:116] = view()[20:36, 30:46]
    assert unexplained_px(view(), now, step(pan=0.02), seconds=1.0) > 0.4


def path(speeds: list[float]) -> list[CameraStep]:
    return [step((i + 0.5) / 8, pan) for i, pan in enumerate(speeds)]


def test_a_steady_explained_path_is_all_slideshow() -> None:
    assert slideshow_share(path([0.05] * 24), [0.08] * 24, ASPECT) == 1


def test_less_than_a_second_is_none() -> None:
    assert slideshow_share(path([0.05] * 7), [0.08] * 7, ASPECT) == 0


def test_a_cut_between_stills_costs_its_step_only() -> None:
    left = [0.05] * 12 + [9.0] + [0.05] * 11
    assert slideshow_share(path([0.0] * 24), left, ASPECT) == pytest.approx(23 / 24)


def test_a_shaking_camera_is_no_slideshow() -> None:
    speeds = [0.05 + 0.04 * (-1) ** i for i in range(24)]
    assert slideshow_share(path(speeds), [0.08] * 24, ASPECT) == 0


def test_what_the_camera_does_not_explain_is_no_slideshow() -> None:
    assert slideshow_share(path([0.05] * 24), [0.3] * 24, ASPECT) == 0
    assert slideshow_share([], [], ASPECT) == 0
