"""A small, fast version of `benchmarks/accuracy/cuts`, with a floor."""

import numpy as np
import pytest

from benchmarks.accuracy.cuts import found_by_moviola, make_joined, scores
from benchmarks.accuracy.joined import rendered_shots


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
