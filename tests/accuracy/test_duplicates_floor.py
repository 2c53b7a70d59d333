"""A small version of `benchmarks/accuracy/duplicates` on made shots, with a floor."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.accuracy.copies import ALTERATIONS, RealShot
from benchmarks.accuracy.duplicates import (
    Compared,
    compare,
    figures_at,
    same_video_figures_at,
)
from benchmarks.accuracy.rendering import FPS, CameraPath, rendered, steady, texture
from curation.duplicates import DuplicateSettings
from curation.models.sscd import CopyDetector


def made(seed: int, video: str) -> RealShot:
    """Two seconds of a camera that moves over shapes, four frames a second."""
    path = steady(pan=0.05 * (seed - 1), zoom=0.05 * seed, seconds=2.0)
    frames = rendered(texture(seed), CameraPath(*(axis[:: FPS // 4] for axis in path)))
    return RealShot(video, 10.0 * seed, [cv2.resize(frame, (640, 360)) for frame in frames])


@pytest.fixture(scope="module")
def compared(model_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    detector = CopyDetector(model_weights)
    detector.setup()
    shots = [made(seed, "film.mp4") for seed in (1, 2, 3)]
    again = RealShot("other.mp4", 0.0, shots[0].frames)
    return compare([*shots, again], detector, tmp_path_factory.mktemp("copies"))


def test_what_changes_little_is_found_and_nothing_else(compared: Compared) -> None:
    figures = figures_at(compared, DuplicateSettings().threshold)
    # Large letters over plain noise are most of what there is to see: footage has more.
    lost = {name for name in ALTERATIONS if figures[f"{name}_recall"] < 1}
    assert lost <= {"text"}
    assert figures["precision"] == 1


def test_what_comes_twice_in_one_video_is_found_and_nothing_else(compared: Compared) -> None:
    figures = same_video_figures_at(compared, DuplicateSettings().same_video_threshold)
    assert figures["repeat_recall"] == 1
    assert figures["same_video_precision"] == 1


def test_a_copy_is_nearest_to_its_own_original_whatever_was_done_to_it(compared: Compared) -> None:
    for name in ALTERATIONS:
        first = compared.similarity[name][:3, :3]
        assert first.argmax(axis=1).tolist() == [0, 1, 2], name


def test_what_two_videos_share_is_a_repeat_and_no_negative(compared: Compared) -> None:
    assert np.argwhere(compared.repeats).tolist() == [[0, 3], [3, 0]]
    assert np.argwhere(compared.neighbours).tolist() == [
        [0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1],
    ]  # fmt: skip
    assert compared.others.sum() == 10


def test_figures_are_those_of_counting_by_hand() -> None:
    found = np.array([[0.9, 0.2, 0.8], [0.1, 0.6, 0.3], [0.8, 0.7, 0.7]], np.float32)
    repeats = np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], bool)
    neighbours = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], bool)
    compared = Compared({"crop": found}, found, found[0], repeats, neighbours, ~repeats)
    figures = figures_at(compared, 0.65)
    assert figures == pytest.approx(
        {
            "crop_recall": 2 / 3,
            "precision": 2 / 3,
            "precision_with_repeats": 2 / 5,
            "false_share": 1 / 4,
            "same_scene_false_share": 0,
        }
    )
