import hashlib

import pyarrow as pa
import pytest
from pydantic import ValidationError

from curation import tables
from curation.selection import SelectionSettings, SubsetSettings, select, selection_fingerprint

NO_AUDIT = SelectionSettings(audit_share=0)


def a_clip(start=0, **measures):
    frames = measures.pop("num_frames", 180)
    usual = {"duration_s": 6.0, "num_frames": frames, "motion_vmaf": 5.0, "sharpness": 0.5}
    return {"start_frame": start, **usual, **measures}


def a_video(*clips, **columns):
    usual = {"width": 1280, "height": 720, "min_side_px": 720, "codec": "h264", "is_image": False}
    return {"clips": clips, "status": "ok", "decode_failures": 0, **usual, **columns}


def verdicts(videos, subset, settings=NO_AUDIT):
    """Clip id to (status, reason), and the table; videos are named a, b, c ..."""
    passes, found = [], []
    for name, video in zip("abcdefgh", videos, strict=False):
        clips = [
            {**clip, "clip_id": f"{name}-{clip['start_frame']}-{clip['num_frames']}"}
            for clip in video["clips"]
        ]
        passes.append({"video_id": name, "status": "ok", **video, "clips": clips})
        found.append({"video_id": name, **{k: v for k, v in video.items() if k != "clips"}})
    table = select(
        "256p",
        subset,
        settings,
        pa.Table.from_pylist(passes, schema=tables.CLIPS),
        pa.Table.from_pylist(found, schema=tables.VIDEOS),
        tables.SCORES.empty_table(),
    )
    assert table.schema.equals(tables.SELECTION)
    return {row["clip_id"]: (row["status"], row["reason"]) for row in table.to_pylist()}, table


def subset(rules=None, **keys):
    return SubsetSettings(rules=rules or {}, **keys)


KEPT = ("ok", None)


def test_the_first_rule_in_the_recipes_order_is_the_reason():
    clip = a_clip(motion_vmaf=0.0, sharpness=0.0)
    rules = {"motion_vmaf": {"min": 2}, "sharpness": {"min": 0.1}}
    assert verdicts([a_video(clip)], subset(rules))[0] == {"a-0-180": ("rejected", "motion_vmaf")}
    backwards = dict(reversed(rules.items()))
    assert verdicts([a_video(clip)], subset(backwards))[0] == {"a-0-180": ("rejected", "sharpness")}


def test_bounds_are_inclusive_in_the_type_of_the_measure():
    video = a_video(a_clip(sharpness=0.85))
    assert verdicts([video], subset({"sharpness": {"max": 0.85}}))[0]["a-0-180"] == KEPT
    assert verdicts([video], subset({"sharpness": {"min": 0.85}}))[0]["a-0-180"] == KEPT
    assert verdicts([video], subset({"sharpness": {"max": 0.8499}}))[0]["a-0-180"] != KEPT


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
def test_a_measure_that_is_missing_or_not_finite_never_passes(value):
    found, _ = verdicts(
        [a_video(a_clip(motion_vmaf=value))],
        subset({"motion": {"measure": "motion_vmaf", "max": 1e9}}),
    )
    assert found["a-0-180"] == ("rejected", "motion:unscored")


def test_a_rule_without_bounds_is_off_even_for_what_is_unscored():
    assert verdicts([a_video(a_clip(motion_vmaf=None))], subset({"motion_vmaf": {}}))[0] == {
        "a-0-180": KEPT
    }


def test_rules_reach_the_video_and_its_decode_pass():
    rules = {"codec": {"any_of": ["h264", "it's"]}, "decode_failures": {"max": 3}}
    videos = [
        a_video(a_clip()),
        a_video(a_clip(), codec="av1"),
        a_video(a_clip(), decode_failures=4),
    ]
    assert verdicts(videos, subset(rules))[0] == {
        "a-0-180": KEPT,
        "b-0-180": ("rejected", "codec"),
        "c-0-180": ("rejected", "decode_failures"),
    }


def test_motion_rules_do_not_apply_to_images():
    image = a_video(a_clip(duration_s=0.0, num_frames=1, motion_vmaf=None), is_image=True)
    rules = {"motion_vmaf": {"min": 2}, "sharpness": {"min": 0.1}}
    assert verdicts([image], subset(rules, takes="both"))[0] == {"a-0-1": KEPT}
    assert verdicts([image], subset(rules))[0] == {"a-0-1": ("rejected", "kind")}
    video = a_video(a_clip())
    assert verdicts([video], subset(rules, takes="images"))[0] == {"a-0-180": ("rejected", "kind")}


def test_a_clip_that_passes_the_rules_still_needs_a_bucket():
    clips = [
        a_clip(0, duration_s=3.0),
        a_clip(1, num_frames=60),
        a_clip(2, content_width=100, content_height=720),
    ]
    assert set(verdicts([a_video(*clips)], subset())[0].values()) == {
        ("rejected", "bucket:duration"),
        ("rejected", "bucket:fps"),
        ("rejected", "bucket:size"),
    }


def test_every_clip_of_an_accepted_video_has_one_row_and_others_none():
    videos = [
        a_video(a_clip(0), a_clip(300)),
        a_video(),
        a_video(a_clip(0), status="rejected"),
        a_video(a_clip(7)),
    ]
    _, table = verdicts(videos, subset())
    assert table["clip_id"].to_pylist() == ["a-0-180", "a-300-180", "d-7-180"]
    assert set(table["weight"].to_pylist()) == set(table["copies"].to_pylist()) == {1}


def test_the_audit_share_depends_on_the_seed_and_the_clip_alone():
    clips = [a_clip(start, sharpness=float(start % 4 == 0)) for start in range(4000)]
    _, table = verdicts(
        [a_video(*clips)],
        subset({"sharpness": {"min": 0.5}}),
        SelectionSettings(seed=7, audit_share=0.02),
    )

    def chosen(clip_id):
        digest = hashlib.md5(f"7:{clip_id}".encode()).digest()  # noqa: S324
        return int.from_bytes(digest[8:], "little") < 0.02 * 2**64

    for row in table.to_pylist():
        assert row["audit"] == (row["status"] == "rejected" and chosen(row["clip_id"]))
    assert 40 <= sum(table["audit"].to_pylist()) <= 80


def test_no_clips_give_no_rows():
    assert verdicts([], subset())[1].num_rows == 0


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"motion_vmf": {"min": 1}}, "nearest: 'motion_vmaf'"),
        ({"motion": {"measure": "sharpnes"}}, "nearest: 'sharpness'"),
        ({"frames": {}}, "no measure is called 'frames'"),
        ({"codec": {"min": 1}}, "takes any_of"),
        ({"sharpness": {"any_of": ["high"]}}, "takes min and max"),
        ({"interlaced": {"any_of": ["no"]}}, "is bool"),
        ({"sharpness": {"min": 2, "max": 1}}, "above max"),
        ({"sharpness": {"min": float("nan")}}, "finite"),
        ({"bucket": {"measure": "sharpness"}}, "built-in"),
        ({"x'; DROP": {"measure": "sharpness"}}, "letters, digits"),
    ],
)
def test_a_rule_that_could_never_be_judged_is_refused(rules, message):
    with pytest.raises(ValidationError, match=message):
        subset(rules)


def test_the_order_of_the_rules_is_part_of_the_fingerprint():
    rules = {"motion_vmaf": {"min": 2}, "sharpness": {"min": 0.1}}
    backwards = dict(reversed(rules.items()))
    names = {
        selection_fingerprint(subset(given), SelectionSettings(seed=seed))
        for given in (rules, backwards)
        for seed in (0, 1)
    }
    assert len(names) == 4
