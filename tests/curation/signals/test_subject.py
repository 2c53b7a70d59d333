import numpy as np
import pytest

from curation.signals.parallax import Left
from curation.signals.subject import DEPARTING, subject


def left(own: dict[complex, complex], noise: float = 0.0) -> Left:
    """Places on a grid, at rest but for those near the named ones, which have their vectors."""
    x, y = np.meshgrid(np.linspace(-0.8, 0.8, 33), np.linspace(-0.45, 0.45, 19))
    places = (x + 1j * y).ravel().astype("c8")
    generator = np.random.default_rng(0)
    vectors = noise * (generator.standard_normal((2, places.size)).T @ [1, 1j])
    for place, vector in own.items():
        vectors = np.where(np.abs(places - place) < 0.1, vector, vectors)
    return Left(places, vectors.astype("c8"), np.full(places.size, 1 / places.size, "f4"))


def test_where_nothing_departs_there_is_no_subject() -> None:
    assert subject(left({})) == (0, 0, 0)
    assert subject(left({}, noise=DEPARTING / 5)).share == 0


def test_a_subject_has_its_share_place_and_motion() -> None:
    found = subject(left({0.4 - 0.2j: 0.05 + 0.02j}, noise=0.001))
    assert found.share == pytest.approx(np.pi * 0.1**2 / (1.6 * 0.9), rel=0.2)
    assert found.place == pytest.approx(0.4 - 0.2j, abs=0.02)
    assert found.vector == pytest.approx(0.05 + 0.02j, abs=0.002)


def test_two_that_move_apart_are_in_the_middle_and_go_nowhere() -> None:
    found = subject(left({-0.4: -0.05, 0.4: 0.05}))
    assert found.place == pytest.approx(0, abs=1e-3)
    assert found.vector == pytest.approx(0, abs=1e-3)


def test_what_moves_less_than_the_flow_errs_does_not_count() -> None:
    assert subject(left({0.3: 0.9 * DEPARTING})).share == 0
    assert subject(left({0.3: 1.1 * DEPARTING})).share > 0
