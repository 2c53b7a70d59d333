"""Histograms and the list of measures, against brute force."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.dashboard.filters import SubsetQuery, changed_rules
from pipelines.dashboard.measures import histogram, measure_list, value_arrays
from pipelines.dashboard.what_if import MeasureQuery, values
from pipelines.queries import run_query
from tests import verdicts
from tests.boards import ODD_SUBSETS, made_board, odd_board, odd_workspace
from tests.verdicts import is_missing

CLIPS = {}


def judged(subset):
    if subset not in CLIPS:
        CLIPS[subset] = verdicts.judged_clips(odd_workspace(), subset, ODD_SUBSETS[subset])
    return CLIPS[subset]


@settings(max_examples=50, deadline=None)
@given(
    subset=st.sampled_from([*ODD_SUBSETS]),
    measure=st.sampled_from(
        ["motion_vmaf", "aesthetic", "luma_mean", "height", "border_share", "text_score"]
    ),
    rule=st.sampled_from(
        [(), ("motion_vmaf:3:",), ("moves:0.5:",), ("luma_mean:0.5:", "height::900")]
    ),
)
def test_every_bin_counts_what_brute_force_counts(subset, measure, rule):
    own_settings = ODD_SUBSETS[subset]
    if subset != "odd":
        rule = tuple(one for one in rule if not one.startswith("moves"))
    found = histogram(odd_board(), MeasureQuery(subset=subset, measure=measure, rule=rule))
    edges = np.array(found["edges"])
    assert (np.diff(edges) > 0).all()
    changes = changed_rules(own_settings, rule)
    rules = {**own_settings.rules, **changes}
    own = {name for name, one in rules.items() if (one.measure or name) == measure}
    expected = {name: [0] * (len(edges) - 1) for name in ("kept", "here", "elsewhere")}
    missing = 0
    for clip in judged(subset):
        value = clip.row[measure]
        if is_missing(value):
            missing += 1
            continue
        why = verdicts.reason(clip, own_settings, changes)
        if why is None and clip.is_later:
            why = clip.verdict_reason
        place = min(
            max(int(np.floor((value - edges[0]) / (edges[1] - edges[0]))), 0), len(edges) - 2
        )
        expected["kept" if why is None else "here" if why in own else "elsewhere"][place] += 1
    assert (found["missing"], found["num"]) == (missing, len(judged(subset)))
    for name, counts in expected.items():
        # A value on an edge may fall to either side of it, by the last bit of a division.
        assert sum(counts) == sum(found[name]), name
        assert np.abs(np.cumsum(counts) - np.cumsum(found[name])).max() <= 3, name


def test_the_axis_stays_while_thresholds_move():
    asked = [
        MeasureQuery(subset="256p", measure="motion_vmaf", rule=rule)
        for rule in ((), ("motion_vmaf:5:",), ("motion_vmaf::",))
    ]
    found = [histogram(made_board(), one) for one in asked]
    assert found[0]["edges"] == found[1]["edges"] == found[2]["edges"]
    kept = [sum(one["kept"]) for one in found]
    assert kept[1] < kept[0] < kept[2] <= kept[0] + sum(found[0]["here"])


def test_a_measure_that_no_clip_has_is_empty():
    found = histogram(made_board(), MeasureQuery(subset="256p", measure="quality"))
    sql = "SELECT clip_id FROM selection WHERE subset = '256p'"
    num = run_query(made_board().workspace, sql).num_rows
    assert (found["edges"], found["kept"], found["missing"], found["num"]) == ([], [], num, num)
    assert num > 0


def test_measures_with_a_rule_come_first_in_the_order_of_the_rules():
    found = measure_list(odd_board(), SubsetQuery(subset="odd", rule=("luma_mean:0.2:",)))
    names = [one["name"] for one in found["measures"]]
    assert names[:6] == [
        "motion_vmaf",
        "aesthetic",
        "border_share",
        "nsfw",
        "duration_s",
        "luma_mean",
    ]
    rules = {one["name"]: one["rule"] for one in found["measures"] if one["rule"]}
    assert rules["motion_vmaf"] == {
        "name": "moves", "min": 1.0, "max": 9.0, "was": {"min": 1.0, "max": 9.0},
    }  # fmt: skip
    assert rules["luma_mean"] == {"name": "luma_mean", "min": 0.2, "max": None, "was": None}
    assert found["others"] == {"codec": "one of h264, hevc"}


def test_the_spread_of_a_measure_is_that_of_its_values():
    (found,) = (
        one
        for one in measure_list(odd_board(), SubsetQuery(subset="odd"))["measures"]
        if one["name"] == "motion_vmaf"
    )
    values_there = [
        clip.row["motion_vmaf"] for clip in judged("odd") if not is_missing(clip.row["motion_vmaf"])
    ]
    assert found["num"] == len(values_there)
    assert (found["least"], found["most"]) == (min(values_there), max(values_there))
    assert found["median"] == pytest.approx(np.median(values_there), rel=0.05)
    assert found["least"] <= found["low"] <= found["median"] <= found["high"] <= found["most"]


def test_the_values_of_a_drag_come_as_bytes():
    asked = MeasureQuery(subset="256p", measure="motion_vmaf")
    body = value_arrays(made_board(), asked).body
    (length,) = struct.unpack_from("<I", body)
    head = json.loads(body[4 : 4 + length])
    expected, place = values(made_board(), asked), 4 + length
    for name, size, width in head["arrays"]:
        found = np.frombuffer(body, f"<f{width}", size, place)
        assert found.tolist() == expected[name].tolist()
        place += width * size
    assert place == len(body)
