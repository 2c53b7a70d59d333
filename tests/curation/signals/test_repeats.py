"""Frozen and repeated frames from series of differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.signals.repeats import (
    FrameDifference,
    frame_difference,
    frozen_share,
    repeated_share,
)

SAME, MOVED = FrameDifference(0.02, 0.2), FrameDifference(2.0, 12.0)


def test_a_small_subject_shows_in_the_peak() -> None:
    before = np.full((144, 256), 100, np.uint8)
    now = before.copy()
    now[64:80, 128:144] = 140
    difference = frame_difference(before, now)
    assert difference.peak == pytest.approx(40)
    assert difference.mean == pytest.approx(40 / 144)


def test_a_long_run_without_change_is_frozen() -> None:
    # 24 equal frames in a second of 48: 23 pairs.
    differences = [MOVED] * 12 + [SAME] * 23 + [MOVED] * 12
    assert frozen_share(differences, fps=24) == 24 / 48


def test_a_short_run_is_not_frozen_but_repeated() -> None:
    differences = [MOVED] * 10 + [SAME] * 3 + [MOVED] * 10
    assert frozen_share(differences, fps=24) == 0
    assert repeated_share(differences, fps=24) == 3 / 24


def test_frozen_frames_are_not_counted_as_repeated() -> None:
    differences = [MOVED] * 12 + [SAME] * 23 + [MOVED] * 12
    assert repeated_share(differences, fps=24) == 0


@pytest.mark.parametrize(
    ("pattern", "share"),
    [
        ([SAME, MOVED], 0.5),
        ([MOVED, MOVED, MOVED, MOVED, SAME], 0.2),
        ([SAME, SAME, MOVED, SAME, MOVED], 0.6),
        ([SAME, SAME, SAME, SAME, MOVED], 0.8),
    ],
)
def test_rate_conversion_is_told_by_its_share(pattern: list[FrameDifference], share: float) -> None:
    # At the ends there are fewer new frames to compare with.
    assert repeated_share(pattern * 20, fps=60) == pytest.approx(share, abs=0.04)


def test_one_flash_does_not_make_its_neighbours_repeats() -> None:
    flash = FrameDifference(90.0, 200.0)
    differences = [MOVED] * 10 + [flash] + [MOVED] * 10
    assert repeated_share(differences, fps=24) == 0


def test_slow_motion_near_fast_motion_is_no_repeat() -> None:
    slow = FrameDifference(0.3, 4.0)
    assert repeated_share([slow] * 8 + [FrameDifference(6.0, 80.0)] * 8, fps=24) == 0


def test_where_nothing_moves_repeats_cannot_be_told() -> None:
    faint = FrameDifference(0.1, 0.9)
    assert repeated_share([faint, FrameDifference(0.0, 0.0)] * 10, fps=24) == 0


def test_a_single_frame_has_no_shares() -> None:
    assert frozen_share([], fps=24) == repeated_share([], fps=24) == 0


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 255)), max_size=60), st.floats(5, 120))
def test_the_two_shares_never_overlap(series: list[tuple[float, float]], fps: float) -> None:
    differences = [FrameDifference(*pair) for pair in series]
    frozen, repeated = frozen_share(differences, fps), repeated_share(differences, fps)
    assert 0 <= frozen <= 1
    assert 0 <= repeated <= 1 - frozen + 1e-9
