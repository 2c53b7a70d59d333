"""What the page says of other thresholds, against selections that are really made with them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from curation import tables
from curation.buckets import BucketSettings
from curation.rules import Rule
from curation.selection import SelectionSettings, SubsetSettings, select
from curation.views import connect
from pipelines.report.verdicts import gather_measures, verdicts
from pipelines.report.what_if import what_ifs

RULES = {
    "border_share": Rule(max=0.02),
    "motion": Rule(measure="motion_vmaf", min=2.0, max=9.0),
    "licence": Rule(any_of=("mit",)),
    "nsfw": Rule(max=0.85),
    "text_share": Rule(max=0.5),
}
SUBSET = SubsetSettings(takes="both", rules=RULES, buckets=BucketSettings(base_px=128))
NUM_VIDEOS = 240


def values(random, *choices, low, high):
    """A number, now and then one that is likely to be a threshold, missing or not a number."""
    return random.choice([*choices, None, float("nan"), *random.uniform(low, high, 8).tolist()])


def footage(seed=3):
    """Clips of one each video, with scores of all of them."""
    random = np.random.default_rng(seed)
    videos, clips, scores = [], [], []
    for place in range(NUM_VIDEOS):
        video, is_image = f"{place:016x}", place % 6 == 0
        videos.append(
            {"video_id": video, "status": "ok" if place % 9 else "rejected", "uris": ["/a"],
             "width": 640, "height": 360, "is_image": is_image,
             "licence": random.choice(["mit", "mit", "mit", "x", None])}
        )  # fmt: skip
        seconds = 0.0 if is_image else float(random.choice([3.0, 5.0, 6.5, 12.25]))
        clip = {"clip_id": f"{video}-0-9", "num_frames": 1 if is_image else round(seconds * 30),
                "duration_s": seconds, "start_s": 0.0, "end_s": seconds,
                "border_share": values(random, 0.0, 0.02, low=0, high=0.04),
                "motion_vmaf": values(random, 2.0, 9.0, low=0, high=12)}  # fmt: skip
        clips.append({"video_id": video, "clips": [clip], "frames": [[]], "status": "ok"})
        scores.append(
            {"clip_id": clip["clip_id"], "video_id": video, "status": "ok",
             "nsfw": values(random, 0.85, low=0, high=1),
             "text_share": values(random, 0.5, low=0, high=1)}
        )  # fmt: skip
    return (
        pa.Table.from_pylist(clips, schema=tables.CLIPS),
        pa.Table.from_pylist(videos, schema=tables.VIDEOS),
        pa.Table.from_pylist(scores, schema=tables.SCORES),
    )


def chosen(subset, clips, videos, scores):
    return select("a", subset, SelectionSettings(audit_share=0), clips, videos, scores)


def found(clips, videos, scores, *, subset=SUBSET, selection=None, has_later=False):
    selection = chosen(subset, clips, videos, scores) if selection is None else selection
    rows = {"clips": clips, "videos": videos, "scores": scores, "selection": selection}
    with connect(rows) as connection:
        gather_measures(connection)
        return verdicts(connection, "a", subset, has_later)


def with_bounds(one, low, high):
    """The subset with the thresholds of a histogram moved to two of its edges."""
    edges = one.axis.edges
    rule = Rule(
        measure=one.measure,
        min=None if low == 0 else edges[low],
        max=None if high == len(edges) - 1 else edges[high],
    )
    return SUBSET.model_copy(update={"rules": RULES | {one.rule or one.measure: rule}})


def kept_seconds(verdicts_of, clips):
    lengths = {row["clips"][0]["clip_id"]: row["clips"][0]["duration_s"]
               for row in clips.to_pylist()}  # fmt: skip
    ids = verdicts_of.filter(pc.equal(verdicts_of["status"], "ok"))["clip_id"].to_pylist()
    return len(ids), sum(lengths[clip_id] for clip_id in ids)


def places(one, random):
    """Bounds to try: those of the recipe, none, and some others."""
    last = len(one.axis.edges) - 1
    drawn = [tuple(sorted(random.integers(0, last + 1, 2).tolist())) for _ in range(3)]
    return [one.bounds, (0, last), *drawn]


@pytest.fixture(scope="module")
def all_scored():
    return footage()


def test_where_all_is_measured_the_bins_give_what_a_selection_gives(all_scored):
    clips, _, _ = all_scored
    random = np.random.default_rng(1)
    several = what_ifs(found(*all_scored))
    assert [one.rule for one in several[:4]] == ["border_share", "motion", "nsfw", "text_share"]
    assert "duration_s" in [one.measure for one in several if one.rule is None]
    for one in several:
        for low, high in places(one, random):
            kept = one.kept(low, high)
            real = kept_seconds(chosen(with_bounds(one, low, high), *all_scored), clips)
            assert (kept.low, kept.high) == (real[0], real[0]), (one.rule, low, high)
            assert (kept.low_s, kept.high_s) == pytest.approx((real[1], real[1]))


def test_the_rule_keeps_its_bounds_and_its_histogram_all_clips(all_scored):
    now = found(*all_scored)
    for one in what_ifs(now):
        assert one.kept(*one.bounds).low == now.is_kept.sum() > 0
        measured = np.isfinite(now.values[one.measure])
        if one.measure in tables.MOTION_MEASURES:
            measured &= ~now.is_image
        assert sum(one.all) == measured.sum()
    motion = what_ifs(now)[1]
    assert [motion.axis.edges[bound] for bound in motion.bounds] == [2.0, 9.0]
    # By hand, from the columns alone.
    others = (now.num_failed - now.failed["motion"] == 0) & ~now.is_image
    value = now.values["motion_vmaf"]
    low = motion.axis.edges.index(4.0)
    by_hand = np.count_nonzero(others & (value >= 4) & (value <= 9))
    images = np.count_nonzero((now.num_failed == 0) & now.is_image)
    assert motion.kept(low, motion.bounds[1]).low == by_hand + images


def test_clips_that_no_model_looked_at_make_the_answer_a_range(all_scored):
    clips, videos, scores = all_scored
    random = np.random.default_rng(2)
    measured = {name: rule for name, rule in RULES.items() if name not in ("nsfw", "text_share")}
    passing = chosen(SUBSET.model_copy(update={"rules": measured}), *all_scored)
    seen = passing.filter(pc.equal(passing["status"], "ok"))["clip_id"]
    looked = scores.filter(pc.is_in(scores["clip_id"], value_set=seen.combine_chunks()))
    ranges = 0
    for one in what_ifs(found(clips, videos, looked)):
        assert one.kept(*one.bounds).low == one.kept(*one.bounds).high
        for low, high in places(one, random):
            kept = one.kept(low, high)
            real, real_s = kept_seconds(chosen(with_bounds(one, low, high), *all_scored), clips)
            assert kept.low <= real <= kept.high
            assert kept.low_s - 1e-6 <= real_s <= kept.high_s + 1e-6
            ranges += kept.low < real
    assert ranges > 2


def test_what_went_as_a_duplicate_stays_out_until_a_threshold_moves(all_scored):
    selection = chosen(SUBSET, *all_scored)
    rows = selection.to_pylist()
    gone = next(row for row in rows if row["status"] == "ok" and row["clip_id"] > f"{1:016x}")
    gone |= {"status": "rejected", "reason": "duplicate"}
    selection = pa.Table.from_pylist(rows, schema=tables.SELECTION)
    now = found(*all_scored, selection=selection, has_later=True)
    border = what_ifs(now)[0]
    low, high = border.bounds
    assert border.kept(low, high).low == border.kept(low, high).high == now.is_kept.sum()
    assert border.bins["twin"].within(low, high)[0] == 1
    wider = border.kept(low, len(border.axis.edges) - 1)
    assert wider.low == now.is_kept.sum()
    # It comes back if the one that was kept for it is pushed out by one that is let in.
    let_in = border.bins["open"].within(low, len(border.axis.edges) - 1)[0]
    assert wider.high == wider.low + let_in + border.missing["open"][0] + 1
    whole = [border.kept(low, edge) for edge in range(high)]
    assert any(kept.high == kept.low + 1 for kept in whole)


def without_near(selection, near):
    """The selection with the better of two near clips kept, ids in falling order."""
    rows, kept = selection.to_pylist(), []
    for row in sorted(rows, key=lambda row: row["clip_id"], reverse=True):
        if row["status"] == "ok" and any(row["clip_id"] in near[other] for other in kept):
            row |= {"status": "rejected", "reason": "duplicate"}
        elif row["status"] == "ok":
            kept.append(row["clip_id"])
    return pa.Table.from_pylist(rows, schema=tables.SELECTION)


def test_no_more_is_kept_than_it_says_where_duplicates_are_decided_again(all_scored):
    random = np.random.default_rng(5)
    ids = chosen(SUBSET, *all_scored)["clip_id"].to_pylist()
    near = {clip_id: set() for clip_id in ids}
    for one, other in random.choice(ids, (400, 2)).tolist():
        near[one].add(other)
        near[other].add(one)
    selection = without_near(chosen(SUBSET, *all_scored), near)
    now = found(*all_scored, selection=selection, has_later=True)
    came_back = 0
    for one in what_ifs(now):
        for low, high in places(one, random):
            kept = one.kept(low, high)
            real = without_near(chosen(with_bounds(one, low, high), *all_scored), near)
            num, _ = kept_seconds(real, all_scored[0])
            assert num <= kept.high, (one.rule or one.measure, low, high)
            came_back += num > kept.low
    assert came_back > 5


def test_duplicates_come_back_when_a_better_copy_of_the_kept_one_is_let_in(all_scored):
    def kept(subset):
        verdicts_of = chosen(subset, *all_scored)
        return verdicts_of.filter(pc.equal(verdicts_of["status"], "ok"))["clip_id"].to_pylist()

    border = what_ifs(found(*all_scored))[0]
    low, last = border.bounds[0], len(border.axis.edges) - 1
    wider = with_bounds(border, low, last)
    let_in = max(set(kept(wider)) - set(kept(SUBSET)))
    *twins, best = sorted(clip_id for clip_id in kept(SUBSET) if clip_id < let_in)[:3]
    near = {clip_id: set() for clip_id in kept(wider)} | {let_in: {best}, best: {let_in, *twins}}
    near |= {clip_id: {best} for clip_id in twins}
    selection = without_near(chosen(SUBSET, *all_scored), near)
    border = what_ifs(found(*all_scored, selection=selection, has_later=True))[0]
    real = without_near(chosen(wider, *all_scored), near)
    num, seconds = kept_seconds(real, all_scored[0])
    said = border.kept(low, last)
    assert num <= said.high
    assert seconds <= said.high_s + 1e-6


def test_a_workspace_without_clips_has_histograms_of_its_rules(all_scored):
    none = [schema.empty_table() for schema in (tables.CLIPS, tables.VIDEOS, tables.SCORES)]
    several = what_ifs(found(*none, selection=tables.SELECTION.empty_table()))
    assert [one.rule for one in several] == ["border_share", "motion", "nsfw", "text_share"]
    assert all(one.kept(*one.bounds).high == 0 for one in several)
