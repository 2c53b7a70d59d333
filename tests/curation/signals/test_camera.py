"""The camera's path: signs, units, robustness, shake."""

import numpy as np
import pytest

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
    assert step == pytest.approx((1, 0, 0, 0, 0, 0, 1), abs=1e-6)


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
    assert step_of(flat) == (1.0, 0, 0, 0, 0, 0, 0)
    assert camera_motion([step_of(flat)] * 5, WIDTH / HEIGHT) is None


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
