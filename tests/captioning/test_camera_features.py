"""What a stretch of the path says as a whole; `test_camera.py` has the labels."""

import numpy as np
import pytest

from captioning.camera_features import camera_features
from curation.signals.camera import CameraStep

ASPECT = 16 / 9


def path(pans: np.ndarray, keystones: np.ndarray) -> list[CameraStep]:
    """Steps at 4 Hz that shift the whole picture; `pans` in frame widths per second."""
    return [
        CameraStep(
            **{"time_s": index / 4, "pan": pan, "tilt": 0, "zoom": 0, "roll": 0, "residual": 0},
            **{"inliers": 0.9, "keystone": bent, "around_pan": pan, "middle_pan": pan},
        )
        for index, (pan, bent) in enumerate(zip(pans, keystones, strict=True))
    ]


def test_speeds_are_means_in_frame_heights_to_the_right_and_upwards() -> None:
    steps = [step._replace(tilt=0.02) for step in path(np.full(8, 0.09), np.zeros(8))]
    found = camera_features(steps, ASPECT)
    assert found is not None
    assert found.shift == pytest.approx(0.16 + 0.02j)
    assert found.straight == pytest.approx(1)
    assert found.still == 0


@pytest.mark.parametrize("way", [1, -1])
def test_a_turn_is_told_by_its_bend_whichever_way_it_goes(way: int) -> None:
    pans = way * np.linspace(0.02, 0.1, 16)
    found = camera_features(path(pans, 0.3 * np.abs(pans) * ASPECT), ASPECT)
    assert found is not None
    assert found.turn.value == pytest.approx(0.3)
    assert found.turn.sigmas > 100


def test_one_step_in_which_the_flow_failed_has_no_say() -> None:
    pans = np.full(16, 0.1)
    bent = 0.3 * pans * ASPECT + np.random.default_rng(0).normal(0, 0.001, 16)
    bent[5] = 3.0
    found = camera_features(path(pans, bent), ASPECT)
    assert found is not None
    assert found.turn.value == pytest.approx(0.3, rel=0.02)


def test_the_turns_of_a_hand_make_no_turn_of_a_camera_that_travels() -> None:
    hand = np.random.default_rng(0).normal(0, 0.1, 40)
    hand -= hand.mean()
    pans = 0.05 + hand
    # A step tells the bend across its own way.
    found = camera_features(path(pans, 0.3 * hand * ASPECT * np.sign(pans)), ASPECT)
    assert found is not None
    assert abs(found.turn.value) < 2 * found.turn.error


def test_of_a_single_step_nothing_is_proven() -> None:
    found = camera_features(path(np.array([0.1]), np.array([0.05])), ASPECT)
    assert found is not None
    assert found.turn.error == np.inf
