import pyarrow as pa
import pytest

from curation import tables
from curation.funnel import Outcome, funnel, subsets
from curation.views import connect


def source(uri, video=None, status="ok", reason=None, duration_s=3600.0):
    return {
        "uri": uri,
        "video_id": video,
        "status": status,
        "reason": reason,
        "duration_s": duration_s,
        "cpu_s": 1.0,
    }


def video(name, *uris, status="ok", reason=None):
    return {
        "video_id": name,
        "uris": list(uris),
        "status": status,
        "reason": reason,
        "duration_s": 3600.0,
        "is_image": False,
    }


def decoded(name, num_clips=0, status="ok", reason=None):
    clips = [{"clip_id": f"{name}-{n}", "duration_s": 360.0} for n in range(num_clips)]
    found = clips if status == "ok" else None
    return {"video_id": name, "clips": found, "status": status, "reason": reason, "cpu_s": 10.0}


def verdict(clip, status="ok", reason=None, subset="256p"):
    return {"subset": subset, "clip_id": clip, "status": status, "reason": reason}


def sample(clip, status="ok", reason=None):
    taken = {"start_s": 0.0, "end_s": 180.0} if status == "ok" else {}
    return {"clip_id": clip, "subset": "256p", "status": status, "reason": reason, **taken}


def rows(**found):
    schemas = {**tables.TABLES, "shards/256p": tables.SHARD}
    names = {"shards_256p": "shards/256p"}
    return {
        names.get(name, name): pa.Table.from_pylist(part, schema=schemas[names.get(name, name)])
        for name, part in found.items()
    }


@pytest.fixture
def workspace():
    return rows(
        sources=[
            source("/a", "va"),
            source("/b", "vb"),
            source("/copy-of-a", "va"),
            source("/small", "vs"),
            source("/late", "vl"),
            source("/text", None, "failed", "not_media", None),
        ],
        videos=[
            video("va", "/a", "/copy-of-a"),
            video("vb", "/b"),
            video("vs", "/small", status="rejected", reason="min_side_px"),
            video("vl", "/late"),
        ],
        clips=[decoded("va", 3), decoded("vb", status="failed", reason="timeout")],
        selection=[
            verdict("va-0"),
            verdict("va-1"),
            verdict("va-2", "rejected", "motion_vmaf"),
        ],
        shards_256p=[sample("va-0"), sample("va-1", "failed", "changed")],
    )


def by_name(found):
    with connect(found) as connection:
        return {step.name: step for step in funnel(connection)}


def test_every_input_of_every_step_is_in_one_state(workspace):
    steps = by_name(workspace)
    assert [*steps] == ["sources", "videos", "clips", "selection/256p", "shards/256p"]
    assert all(step.adds_up for step in steps.values())
    assert {name: (step.num_in, step.num_out) for name, step in steps.items()} == {
        "sources": (6, 5),
        "videos": (5, 3),
        "clips": (3, 3),
        "selection/256p": (3, 2),
        "shards/256p": (2, 1),
    }


def test_outcomes_are_told_by_reason_in_numbers_and_hours(workspace):
    steps = by_name(workspace)
    assert steps["sources"].outcomes == (
        Outcome("ok", None, 5, 5.0),
        Outcome("failed", "not_media", 1, 0.0),
    )
    assert steps["videos"].outcomes == (
        Outcome("ok", None, 3, 3.0),
        Outcome("rejected", "min_side_px", 1, 1.0),
        Outcome("rejected", "same_content", 1, 1.0),
    )
    assert steps["clips"].outcomes == (
        Outcome("ok", None, 1, 1.0),
        Outcome("failed", "timeout", 1, 1.0),
        Outcome("waiting", None, 1, 1.0),
    )
    assert steps["selection/256p"].outcomes == (
        Outcome("ok", None, 2, pytest.approx(0.2)),
        Outcome("rejected", "motion_vmaf", 1, pytest.approx(0.1)),
    )
    assert steps["shards/256p"].outcomes[1] == Outcome("failed", "changed", 1, pytest.approx(0.1))


def test_what_is_handed_on_is_told_in_its_own_hours(workspace):
    steps = by_name(workspace)
    assert steps["clips"].hours_out == pytest.approx(0.3)
    assert steps["shards/256p"].hours_out == pytest.approx(0.05)
    assert steps["clips"].cpu_s == 20.0


def test_a_doubled_row_does_not_add_up(workspace):
    doubled = workspace["shards/256p"]
    steps = by_name(workspace | {"shards/256p": pa.concat_tables([doubled, doubled.slice(0, 1)])})
    assert not steps["shards/256p"].adds_up
    assert steps["selection/256p"].adds_up


def test_subsets_have_steps_of_their_own(workspace):
    other = rows(selection=[verdict("va-0", subset="sft")])["selection"]
    workspace["selection"] = pa.concat_tables([workspace["selection"], other])
    steps = by_name(workspace)
    assert steps["selection/sft"].num("waiting") == 2
    assert steps["selection/256p"].num("waiting") == 0
    assert steps["shards/sft"].num("waiting") == 1
    with connect(workspace) as connection:
        assert subsets(connection) == ["256p", "sft"]


def test_an_empty_workspace_has_no_steps():
    assert by_name({}) == {}
