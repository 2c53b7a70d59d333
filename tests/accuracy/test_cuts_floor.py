"""A small, fast version of `benchmarks/accuracy/cuts`, with a floor."""

import numpy as np
import pytest

from benchmarks.accuracy.cuts import found_by_moviola, leaks, make_joined, scores
from benchmarks.accuracy.joined import Joiner, rendered_shots, shots_of
from curation.detectors import ShotSettings, TransNetSettings


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cuts")
    shots = rendered_shots(folder / "shots", seed=7, num_shots=8)
    return scores(make_joined(shots, folder, seed=7, num_videos=1), found_by_moviola)


def test_hard_cuts_are_found_and_nothing_else_is_taken_for_one(figures):
    found, fooled = figures
    assert found["hard_f1"] >= 0.97
    assert fooled == []


def test_no_clip_holds_a_hard_cut_or_a_fade(figures):
    found, _ = figures
    assert found["hard_leak"] == 0
    assert found["fade_leak"] == 0


def test_most_of_the_shots_is_in_some_clip(figures):
    found, _ = figures
    assert found["cover"] >= 0.6
    assert np.isfinite(list(found.values())).all()


@pytest.mark.usefixtures("model_weights")
def test_with_transnet_no_clip_holds_a_dissolve(tmp_path):
    generator = np.random.default_rng(3)
    shots = shots_of(rendered_shots(tmp_path / "shots", seed=3, num_shots=3), 140, generator)
    joiner = Joiner(tmp_path / "dissolves.mp4", generator)
    for _ in range(3):
        joiner.add(next(shots)[1], "dissolve")
    joined = joiner.close()
    bare, _, _ = leaks(joined, found_by_moviola(joined.path))
    assert bare["dissolve"] > 0
    found = found_by_moviola(joined.path, ShotSettings(transnet=TransNetSettings()))
    leaking, num_clips, cover = leaks(joined, found)
    assert [transition.kind for transition in found] == ["dissolve", "dissolve"]
    # Once the head is dropped, the first of the three shots is too short for a clip.
    assert (leaking.total(), num_clips) == (0, 2)
    assert cover >= 0.65
