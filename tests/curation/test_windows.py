from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.shots import Shot
from curation.windows import WindowSettings, windows

FPS = 25


def cut(shot_frames, settings=None, video="v", fps=FPS):
    """Windows of a video whose shots have these numbers of frames."""
    edges = np.cumsum([0, *shot_frames])
    shots = [Shot(int(a), int(b), "cut", "cut") for a, b in pairwise(edges)]
    times_s = np.arange(edges[-1]) / fps
    return windows(
        shots, times_s, edges[-1] / fps, video, settings or WindowSettings(skip_head_s=0)
    )


def seconds(found, fps=FPS):
    return [(window.end - window.start) / fps for window in found]


def test_a_long_shot_is_covered_by_full_clips():
    assert seconds(cut([48 * FPS])) == [16, 16, 16]


def test_a_rest_that_is_too_short_evens_out_the_last_two():
    # 34 s: 16, and the other 18 s as 9 and 9.
    assert seconds(cut([34 * FPS])) == [16, 9, 9]


def test_a_rest_that_is_long_enough_is_a_clip_of_its_own():
    assert seconds(cut([37 * FPS])) == [16, 16, 5]


def test_short_shots_give_no_clip():
    assert cut([3 * FPS, 3 * FPS, 3 * FPS]) == []


def test_the_head_of_the_video_is_dropped():
    (clip,) = cut([12 * FPS], WindowSettings(skip_head_s=2.0))
    assert (clip.start, clip.end) == (2 * FPS, 12 * FPS)


@pytest.mark.parametrize("mode", ["cover", "random"])
def test_a_video_shorter_than_its_dropped_head_gives_no_clip(mode):
    settings = WindowSettings(mode=mode, skip_head_s=2.0, min_shot_s=1, min_s=1)
    assert cut([FPS + 10], settings) == []
    assert seconds(cut([3 * FPS], settings)) == [1]


def test_guards_keep_away_from_cuts_but_not_from_the_ends_of_the_video():
    first, second = cut([8 * FPS, 8 * FPS], WindowSettings(skip_head_s=0, guard_s=0.2))
    assert (first.start, first.end) == (0, 8 * FPS - 5)
    assert (second.start, second.end) == (8 * FPS + 5, 16 * FPS)


def test_an_image_is_one_clip_of_one_frame():
    shot = Shot(0, 1, "start", "end")
    (clip,) = windows([shot], np.zeros(1), 0.04, "v", WindowSettings())
    assert (clip.start, clip.end) == (0, 1)


def test_random_mode_takes_one_clip_per_shot_and_the_same_one_every_time():
    settings = WindowSettings(mode="random", skip_head_s=0, min_shot_s=16)
    shots = [20 * FPS, 10 * FPS, 40 * FPS]
    found = cut(shots, settings)
    assert len(found) == 2
    assert all(4 <= length <= 16 for length in seconds(found))
    assert found == cut(shots, settings)
    assert found != cut(shots, settings, video="another")
    assert found != cut(shots, settings.model_copy(update={"seed": 1}))


def test_random_lengths_spread_over_the_whole_range():
    settings = WindowSettings(mode="random", skip_head_s=0)
    lengths = [seconds(cut([60 * FPS], settings, video=str(n)))[0] for n in range(400)]
    assert np.mean(lengths) == pytest.approx(10, abs=0.6)
    assert min(lengths) < 4.5
    assert max(lengths) > 15.5


def test_max_per_video_keeps_a_random_few_in_time_order():
    settings = WindowSettings(skip_head_s=0, max_per_video=2)
    picks = [tuple(w.start for w in cut([96 * FPS], settings, str(n))) for n in range(50)]
    assert all(len(pick) == 2 and list(pick) == sorted(pick) for pick in picks)
    assert len(set(picks)) > 5


def test_lengths_out_of_order_are_refused():
    with pytest.raises(ValidationError, match="min_s must be"):
        WindowSettings(min_s=5, max_s=4)


@given(
    st.lists(st.integers(2, 2000), min_size=1, max_size=6),
    st.sampled_from(["cover", "random"]),
    st.sampled_from([10.0, 23.976, 25.0, 59.94]),
)
def test_clips_lie_inside_their_shots_and_keep_their_lengths(shot_frames, mode, fps):
    settings = WindowSettings(mode=mode, skip_head_s=1.0)
    slack_s = 1.5 / fps
    found = cut(shot_frames, settings, fps=fps)
    for window in found:
        assert window.shot.start <= window.start < window.end <= window.shot.end
        assert 4 - slack_s <= (window.end - window.start) / fps <= 16 + slack_s
        assert window.start / fps >= 1.0 - slack_s
    for before, after in pairwise(found):
        assert before.end <= after.start


def test_a_tiny_rest_is_dropped_instead_of_splitting_a_full_clip():
    assert seconds(cut([33 * FPS])) == [16, 16]


@given(st.integers(100, 5000))
def test_cover_mode_leaves_out_nothing_but_short_rests(frames):
    found = cut([frames])
    covered = sum(window.end - window.start for window in found)
    assert frames - covered <= 2 * FPS + len(found) + 1
