"""Filters against brute force, and what is refused."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.selection import SubsetSettings
from pipelines.dashboard.examples import PageQuery, clips
from pipelines.dashboard.filters import (
    ClipFilter,
    changed_rules,
    checked_measure,
    with_changes,
)
from tests import verdicts
from tests.boards import ODD_SUBSETS, odd_board, odd_workspace

SETTINGS = ODD_SUBSETS["odd"]
MEASURES = ("motion_vmaf", "aesthetic", "luma_mean", "height", "motion_coverage")
RULES = ("moves:0.5:", "moves:3:8", "pretty::", "nsfw::0.9", "luma_mean:0.4:", "duration_s::")


@functools.cache
def judged():
    return verdicts.judged_clips(odd_workspace(), "odd", SETTINGS)


REASONS = st.sampled_from(
    ["moves", "moves:unscored", "pretty", "bucket:fps", "retrieval", "no such"]
)
A_VALUE = st.one_of(st.none(), st.floats(-1, 10, width=32), st.sampled_from([0.0, 720.0, 1e30]))


@settings(max_examples=60, deadline=None)
@given(
    verdict=st.sampled_from([None, "kept", "rejected"]),
    reason=st.one_of(st.none(), REASONS),
    outcome=st.sampled_from([None, "kept", "gained", "lost", "unknown"]),
    rule=st.lists(st.sampled_from(RULES), max_size=2, unique_by=lambda one: one.partition(":")[0]),
    measure=st.sampled_from([None, *MEASURES]),
    low=A_VALUE,
    high=A_VALUE,
    video=st.integers(-3, 40),
    order=st.sampled_from(["near", "random", "best", "worst", "time"]),
)
def test_a_filter_names_the_clips_that_brute_force_names(
    verdict, reason, outcome, rule, measure, low, high, video, order
):
    videos = sorted({clip.row["video_id"] for clip in judged()})
    chosen = videos[video] if 0 <= video < len(videos) else None
    asked = PageQuery(
        subset="odd", verdict=verdict, reason=reason, outcome=outcome, rule=tuple(rule),
        measure=measure, low=low, high=high, video=chosen, order=order, size=200,
    )  # fmt: skip
    changes = changed_rules(SETTINGS, tuple(rule))

    def takes(clip):
        if verdict and (clip.verdict == "ok") != (verdict == "kept"):
            return False
        if reason and clip.verdict_reason != reason:
            return False
        if outcome and verdicts.outcome(clip, verdicts.reason(clip, SETTINGS, changes)) != outcome:
            return False
        if measure and (low is not None or high is not None):
            value = clip.row[measure]
            if verdicts.is_missing(value):
                return False
            kind = np.float64 if measure == "height" else np.float32
            if (low is not None and kind(value) < kind(low)) or (
                high is not None and kind(value) > kind(high)
            ):
                return False
        return chosen is None or clip.row["video_id"] == chosen

    expected = {clip.row["clip_id"] for clip in judged() if takes(clip)}
    found = clips(odd_board(), asked)
    assert found["num"] == len(expected)
    ids = [row["clip_id"] for row in found["clips"]]
    if len(expected) > 200:
        rest = clips(odd_board(), asked.model_copy(update={"page": 1}))
        ids += [row["clip_id"] for row in rest["clips"]]
    assert len(ids) == len(expected)
    assert {*ids} == expected
    if measure and order in ("best", "worst"):
        values = {clip.row["clip_id"]: clip.row[measure] for clip in judged()}
        shown = [values[one] for one in ids if not verdicts.is_missing(values[one])]
        assert shown == sorted(shown, reverse=order == "best")


@pytest.mark.parametrize(
    "change",
    ["moves", "moves:1", "moves:1:2:3", "moves:a:", "moves:nan:", "moves:inf:", "moves:1e39:",
     "moves:3:1", "codec:1:", "nope:1:", "clip_id:1:", "", ":1:", "width;--:1:"],
)  # fmt: skip
def test_a_wrong_change_is_refused(change):
    with pytest.raises(ValueError):
        changed_rules(SETTINGS, (change,))


@pytest.mark.parametrize(
    "measure", ["clip_id", "codec", "nope", "", "motion_vmaf; --", 'a"b', "is_image"]
)
def test_only_measures_that_are_numbers_become_columns(measure):
    with pytest.raises(ValueError, match="no measure that is a number"):
        checked_measure(measure)


def test_unknown_parameters_and_endless_texts_are_refused():
    for given_too in ({"sql": "SELECT 1"}, {"reason": "x" * 201}, {"rule": ("moves:1:",) * 65}):
        with pytest.raises(ValidationError):
            ClipFilter(subset="odd", **given_too)


def test_changes_keep_the_order_and_the_measure_of_the_rules():
    changes = changed_rules(SETTINGS, ("luma_mean:0.1:", "moves:2:"))
    after = with_changes(SETTINGS, changes)
    assert [*after.rules] == [*SETTINGS.rules, "luma_mean"]
    assert after.rules["moves"].measure == "motion_vmaf"
    assert after.rules["luma_mean"].measure is None
    assert SubsetSettings.model_validate(after.model_dump(mode="json")) == after
