"""A floor under the accuracy of camera labels; see `benchmarks.accuracy.camera`."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.camera import Outcome, labelled, measured, right_share
from benchmarks.accuracy.rendering import Picture, texture
from benchmarks.accuracy.shots import NUM_FRAMES, Shot, frames_of
from captioning.camera import CONFIDENT, CameraLabel

SURE = (
    *("pan right", "tilt down", "truck left", "pedestal down", "pull out"),
    *("arc shot", "tracking shot", "static shot", "handheld shot"),
)


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return [texture(seed) for seed in (31, 32, 33)]


def label(shot: Shot, pictures: list[Picture], scratch: Path, slant: float | None) -> CameraLabel:
    return labelled(measured(frames_of(shot, pictures, slant), scratch / "camera.mp4"))


def test_what_is_said_of_deep_scenes_is_right_and_most_is_said(
    pictures: list[Picture], tmp_path: Path
) -> None:
    outcomes = []
    for index, name in enumerate(SURE):
        shot = Shot(name, speed=1, mover=False, shaky=index % 2 == 0, seed=500 + index)
        outcomes.append(Outcome(shot, "deep", label(shot, pictures, tmp_path, None)))
    found = {outcome.shot.name: outcome.label for outcome in outcomes}
    assert right_share(outcomes) == 1, found
    assert np.mean([one.confidence >= CONFIDENT for one in found.values()]) >= 0.6, found


def test_flat_scenes_and_mixtures_are_not_sure(pictures: list[Picture], tmp_path: Path) -> None:
    for name in ("truck right", "push in", "zoom in"):
        shot = Shot(name, speed=1, mover=False, shaky=False, seed=600)
        assert label(shot, pictures, tmp_path, 0.0).confidence < CONFIDENT
    mixed = Shot("pan and zoom", speed=1, mover=False, shaky=False, seed=601)
    assert label(mixed, pictures, tmp_path, None).confidence < CONFIDENT


def test_a_clip_lasts_four_seconds(pictures: list[Picture]) -> None:
    shot = Shot("static shot", speed=0, mover=False, shaky=False, seed=1)
    assert len(list(frames_of(shot, pictures, 0.0))) == NUM_FRAMES
