"""What a fit leaves of vectors, number by number; `test_camera.py` has scenes."""

import numpy as np
import pytest

from curation.signals.parallax import Left, bends, departures, keystone, region_shifts, upper_median

x, y = np.meshgrid(np.linspace(-0.9, 0.9, 25), np.linspace(-0.5, 0.5, 15))
PLACES = (x + 1j * y).ravel().astype("c8")
WEIGHTS = np.full(PLACES.size, 1 / PLACES.size, np.float32)
NOISE = np.random.default_rng(0).normal(0, 0.0003, (2, PLACES.size)) * [[1], [1j]]


def left(vectors: np.ndarray) -> Left:
    return Left(PLACES, (vectors + NOISE.sum(axis=0)).astype("c8"), WEIGHTS)


@pytest.mark.parametrize("way", [1, -1, 1j, -1j, np.exp(0.7j)])
def test_the_bend_of_a_turn_is_found_whichever_way_it_goes(way: complex) -> None:
    bent = 0.01 * PLACES * (PLACES * np.conj(way)).real
    assert keystone(left(bent), way) == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("way", [1, 1j, np.exp(0.7j)])
def test_what_bends_along_the_shift_alone_is_no_keystone(way: complex) -> None:
    depths = 0.02 * (PLACES.imag**2 + PLACES.real**2 + np.abs(PLACES.real))
    assert keystone(left(depths * way), way) == pytest.approx(0, abs=0.0005)


def test_growth_that_grows_sideways_is_a_bend_past_shift_and_similarity() -> None:
    p = PLACES.astype(complex)
    bent = p * (0.01 * p.real - 0.004 * p.imag) + 0.002 * p + 0.001j
    assert bends(left(bent), 0.1) == pytest.approx((0.01, -0.004), abs=0.0003)


def test_a_subject_of_its_own_is_no_bend() -> None:
    moved = np.where(PLACES.real > 0.6, 0.2j, 0)
    assert bends(left(moved), 0.03) == pytest.approx((0, 0), abs=0.001)


def test_departures_are_told_along_and_across_the_fit() -> None:
    near = np.where(PLACES.imag > 0, 0.01, 0)
    weight = float(WEIGHTS[PLACES.imag > 0].sum())
    ahead, behind, across = departures(left(near), 0.0, 0.05)
    assert ahead == pytest.approx(0.01 * weight, rel=0.05)
    assert max(behind, across) < 0.0005
    assert departures(left(-near), 0.0, 0.05)[1] == pytest.approx(ahead, rel=0.05)
    assert departures(left(near * 1j), 0.0, 0.05)[2] == pytest.approx(ahead, rel=0.05)
    assert departures(left(100 * near), 0.0, 0.05)[0] == pytest.approx(0.05 * weight, rel=0.05)
    assert departures(left(near * 0), 0.0, 0.0) == (0, 0, 0)


def test_a_region_without_points_moves_as_the_fit() -> None:
    upper = PLACES[PLACES.imag < 0] * 360
    moved = np.full(upper.size, 3 + 1j, np.complex64)
    found = region_shifts(upper, moved, 2 - 1j, (640, 360), 0)
    assert found == (3 + 1j, 3 + 1j, 2 - 1j)
    # Turned upside down, the lower half is what is left.
    assert region_shifts(upper, moved, 2 - 1j, (640, 360), 180).lower == 3 + 1j


def test_points_on_a_line_hold_nothing() -> None:
    line = PLACES.real.astype("c8")
    on_line = Left(line, (0.01 * line).astype("c8"), WEIGHTS)
    assert keystone(on_line, 1) == 0
    assert np.isfinite(bends(on_line, 0.1)).all()


def test_the_median_is_the_upper_one() -> None:
    assert upper_median(np.array([4.0, 1.0, 3.0, 2.0])) == 3.0
