"""The camera's path: signs, units, robustness, shake."""

from dataclasses import replace

import numpy as np
import pytest

from curation.analysis import turned
from curation.signals.camera import CameraStep, camera_motion, camera_step, shake
from curation.signals.vectors import VectorField

WIDTH, HEIGHT = 640, 360


def field(
    scale: float = 1.0,
    turn_deg: float = 0.0,
    shift: complex = 0,
    noise: float = 0.0,
    subject: float = 0.0,
) -> VectorField:
    """Vectors of a picture that grows, turns clockwise and shifts, but for those of a subject."""
    x, y = np.meshgrid(np.arange(-312, 320, 16), np.arange(-172, 180, 16))
    points = (x + 1j * y).ravel()
    turned = scale * np.exp(1j * np.radians(turn_deg))
    before = (points - shift) / turned
    generator = np.random.default_rng(0)
    vectors = (
        points
        - before
        + noise
        * (generator.standard_normal(points.size) + 1j * generator.standard_normal(points.size))
    )
    vectors[: round(subject * points.size)] = 9 + 5j
    ones = np.ones(points.size, np.float32)
    return VectorField(points.astype("c8"), vectors.astype("c8"), ones, ones, 1.0, 1)


def step_of(vectors: VectorField, seconds: float = 0.5) -> CameraStep:
    return camera_step(vectors, WIDTH, HEIGHT, time_s=1.0, seconds=seconds)


def test_a_still_camera_stays() -> None:
    step = step_of(field())
    assert step == pytest.approx((1, 0, 0, 0, 0, 0, 1, *[0] * (len(step) - 7)), abs=1e-6)


def test_content_that_runs_left_is_a_pan_right() -> None:
    assert step_of(field(shift=-6.4)).pan == pytest.approx(0.02, rel=0.01)


def test_content_that_sinks_is_a_tilt_up() -> None:
    assert step_of(field(shift=3.6j)).tilt == pytest.approx(0.02, rel=0.01)


def test_content_that_grows_is_a_zoom_in() -> None:
    assert step_of(field(scale=np.exp(0.03))).zoom == pytest.approx(0.06, rel=0.01)


def test_content_that_turns_left_is_a_camera_that_rolls_right() -> None:
    assert step_of(field(turn_deg=-1.5)).roll == pytest.approx(3.0, rel=0.01)


def test_all_four_come_apart_under_noise_and_a_subject() -> None:
    step = step_of(field(np.exp(0.02), -1.0, -4 + 2j, noise=0.3, subject=0.3))
    assert step.pan == pytest.approx(4 / 640 * 2, abs=0.001)
    assert step.tilt == pytest.approx(2 / 360 * 2, abs=0.002)
    assert step.zoom == pytest.approx(0.04, abs=0.003)
    assert step.roll == pytest.approx(2.0, abs=0.1)
    assert step.inliers == pytest.approx(0.7, abs=0.08)


def test_the_residual_is_motion_that_is_not_the_cameras() -> None:
    assert step_of(field(shift=-8, noise=0.05)).residual < 0.001
    restless = step_of(field(shift=-8, noise=4.0))
    # The median distance of two normal components is 1.18 standard deviations.
    assert restless.residual == pytest.approx(1.18 * 4.0 / HEIGHT / 0.5, rel=0.1)
    assert restless.inliers < 0.3


def test_a_flat_picture_holds_no_fit() -> None:
    vectors = field(shift=-8)
    flat = VectorField(
        vectors.points, vectors.displacements, vectors.weights, vectors.texture * 0, 1.0, 1
    )
    assert step_of(flat) == (1.0, *[0] * (len(CameraStep._fields) - 1))
    assert camera_motion([step_of(flat)] * 5, WIDTH / HEIGHT) is None


def scene(
    turn: tuple[float, float] = (0.0, 0.0),
    travel: tuple[float, float, float] = (0.0, 0.0, 0.0),
    zoom: float = 0.0,
    focal: float = 500.0,
    followed: bool = False,
) -> VectorField:
    """What a pinhole camera sees of a wall 8 m away and of ground 1 m below it.

    Args:
        turn: to the right and upwards, radians.
        travel: to the right, upwards and forward, metres.
        zoom: natural log of the scale.
        focal: focal length, px.
        followed: the middle of the picture goes where the camera goes.
    """
    x, y = np.meshgrid(np.arange(-312, 320, 16), np.arange(-172, 180, 16))
    rays = np.stack([x.ravel() / focal, y.ravel() / focal, np.ones(x.size)])
    depth = np.minimum(8.0, 1.0 / np.maximum(rays[1], 1e-6))
    points = rays * depth
    to_right, up, forward = travel
    before = points + np.array([[to_right], [-up], [forward]])
    yaw, pitch = turn
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    )
    before = about_y @ about_x @ before
    earlier = (before[0] + 1j * before[1]) / before[2] * focal * np.exp(-zoom)
    places = (x + 1j * y).ravel()
    vectors = places - earlier
    if followed:
        vectors[(np.abs(places.real) < 110) & (np.abs(places.imag) < 95)] = 0
    ones = np.ones(places.size, np.float32)
    return VectorField(places.astype("c8"), vectors.astype("c8"), ones, ones, 1.0, 1)


def test_a_turning_camera_bends_what_lies_across_and_a_travelling_one_does_not() -> None:
    for focal in (400.0, 1200.0):
        for turn in ((0.02, 0.0), (-0.02, 0.0), (0.0, 0.015), (0.0, -0.015)):
            step = step_of(scene(turn=turn, focal=focal))
            speed = np.hypot(step.pan * WIDTH / HEIGHT, step.tilt)
            assert step.keystone / speed == pytest.approx((HEIGHT / focal) ** 2, rel=0.1)
    for travel in ((0.1, 0, 0), (-0.1, 0, 0), (0, 0.1, 0), (0, -0.1, 0)):
        step = step_of(scene(travel=travel))
        assert abs(step.keystone) < 0.05 * np.hypot(step.pan * WIDTH / HEIGHT, step.tilt)


def test_scenes_turn_and_travel_with_the_signs_of_the_step() -> None:
    assert step_of(scene(turn=(0.02, 0))).pan > 0
    assert step_of(scene(turn=(0, 0.02))).tilt > 0
    assert step_of(scene(travel=(0.1, 0, 0))).pan > 0
    assert step_of(scene(travel=(0, 0.1, 0))).tilt > 0
    assert step_of(scene(travel=(0, 0, 0.1))).zoom > 0


def test_a_travelling_camera_leaves_the_near_ahead_and_nothing_astray() -> None:
    step = step_of(scene(travel=(0.1, 0, 0)))
    assert step.ahead > 0.1 * step.pan * WIDTH / HEIGHT
    assert step.ahead > 3 * max(step.behind, step.stray)
    assert step.lower_pan > 1.3 * step.around_pan > 0
    turning = step_of(scene(turn=(0.02, 0)))
    assert turning.ahead < 0.1 * turning.pan * WIDTH / HEIGHT
    assert turning.lower_pan == pytest.approx(turning.around_pan, rel=0.1)


def test_a_push_grows_more_below_and_a_zoom_grows_alike() -> None:
    push, zoom = step_of(scene(travel=(0, 0, 0.2))), step_of(scene(zoom=0.03))
    assert push.bend_y > 0.4 * push.zoom
    assert abs(push.bend_x) < 0.02 * push.zoom
    assert abs(complex(zoom.bend_x, zoom.bend_y)) < 0.01 * zoom.zoom
    assert zoom.ahead + zoom.behind < 0.02 * zoom.zoom


def test_what_is_followed_stays_in_the_middle() -> None:
    step = step_of(scene(travel=(0.1, 0.05, 0), followed=True))
    assert (step.middle_pan, step.middle_tilt) == (0, 0)
    assert step.around_pan == pytest.approx(0.1 / 8 * 500 / WIDTH / 0.5, rel=0.05)
    assert step.around_tilt == pytest.approx(0.05 / 8 * 500 / HEIGHT / 0.5, rel=0.05)
    assert step.behind > step.ahead / 2


def test_what_moves_on_its_own_has_its_share_place_and_motion() -> None:
    still = field()
    vectors = still.displacements.copy()
    own = np.abs(still.points - (160 - 60j)) < 60
    vectors[own] = 16 - 9j
    step = step_of(replace(still, displacements=vectors))
    assert step.subject_share == pytest.approx(own.mean(), abs=0.01)
    assert (step.subject_x, step.subject_y) == pytest.approx((0.25, 1 / 6), abs=0.02)
    assert (step.subject_right, step.subject_up) == pytest.approx((0.05, 0.05), rel=0.02)
    assert step_of(field(noise=0.5)).subject_share < 0.01


def test_regions_are_those_of_the_displayed_frame() -> None:
    upright = scene(travel=(0.1, 0, 0))
    for rotation_deg, quarter in ((90, -1j), (180, -1), (270, 1j)):
        stored = VectorField(
            (upright.points * quarter).astype("c8"),
            (upright.displacements * quarter).astype("c8"),
            *(upright.weights, upright.texture, 1.0, 1),
        )
        size = (WIDTH, HEIGHT) if rotation_deg == 180 else (HEIGHT, WIDTH)
        step = camera_step(stored, *size, 1.0, 0.5, rotation_deg)
        found = turned(step, rotation_deg, size[0] / size[1])
        # The fit's own tolerances are parts of the stored height.
        wanted = step_of(upright)._replace(inliers=found.inliers)
        assert list(found) == pytest.approx(list(wanted), abs=0.002)


def path(pan: np.ndarray, tilt: np.ndarray, rate: float = 8.0) -> list[CameraStep]:
    return [
        CameraStep((i + 0.5) / rate, float(p), float(t), 0.1, -1.0, 0.01, 0.9)
        for i, (p, t) in enumerate(zip(pan, tilt, strict=True))
    ]


def test_medians_ignore_a_jolt_and_steps_without_a_fit() -> None:
    steps = path(np.array([0.2, 0.2, 5.0, 0.2]), np.zeros(4))
    steps += [CameraStep(0.5 + i / 8, 0, 0, 0, 0, 0, 0) for i in range(9)]
    motion = camera_motion(steps, 16 / 9)
    assert motion is not None
    assert motion[:5] == pytest.approx((0.2, 0, 0.1, -1.0, 0.01))


def test_steady_and_accelerating_cameras_do_not_shake() -> None:
    assert shake(path(np.full(40, 0.3), np.full(40, -0.1)), 16 / 9) < 1e-9
    assert shake(path(np.linspace(0, 0.5, 40), np.zeros(40)), 16 / 9) < 1e-9


def test_shake_is_the_rms_of_a_fast_oscillation() -> None:
    times = np.arange(161) / 16
    up = 0.01 * np.sin(2 * np.pi * 4 * times + 0.3)
    steps = path(np.zeros(160), np.diff(up) * 16, rate=16)
    assert shake(steps, 16 / 9) == pytest.approx(0.01 / np.sqrt(2), rel=0.03)


def test_the_shake_of_a_hand_is_estimated_by_steps_slower_than_it() -> None:
    generator = np.random.default_rng(0)
    frequencies = np.fft.rfftfreq(64 * 24, 1 / 24)
    hand = np.where((frequencies >= 1.5) & (frequencies <= 8), 1 / np.maximum(frequencies, 1), 0)
    waves = generator.standard_normal((20, hand.size, 2)) @ [1, 1j]
    found = {}
    for rate in (4, 24):
        ups = np.fft.irfft(waves * hand, axis=1)[:, :: 24 // rate]
        found[rate] = [
            shake(path(np.zeros(len(up) - 1), np.diff(up) * rate, rate), 16 / 9) for up in ups
        ]
    assert np.mean(found[4]) == pytest.approx(np.mean(found[24]), rel=0.05)
    assert np.array(found[4]) == pytest.approx(np.array(found[24]), rel=0.3)


def test_slow_swaying_is_no_shake() -> None:
    times = np.arange(161) / 16
    up = 0.05 * np.sin(2 * np.pi * 0.3 * times)
    assert shake(path(np.zeros(160), np.diff(up) * 16, rate=16), 16 / 9) < 0.002


def test_too_short_a_path_has_no_shake() -> None:
    assert shake(path(np.array([1.0, -1.0, 1.0]), np.zeros(3)), 16 / 9) == 0
