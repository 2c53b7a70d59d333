import dataclasses
import json
import shutil

import pyarrow.parquet as pq
import pytest

from curation.rules import MEASURES, SCORE_MEASURES
from pipelines.explain import VideoExplanation, explain
from pipelines.explain_clip import ClipExplanation
from pipelines.explain_text import as_lines
from pipelines.queries import run_query
from pipelines.workspace import Workspace
from tests.workspaces import add_scores, small_workspace


@pytest.fixture(scope="module")
def workspace():
    return small_workspace()


def one(workspace, sql):
    return run_query(workspace, sql).column(0)[0].as_py()


@pytest.fixture(scope="module")
def kept(workspace):
    return explain(workspace, one(workspace, "SELECT max(clip_id) FROM shards_256p"))


@pytest.fixture(scope="module")
def still(workspace):
    rejected = "SELECT clip_id FROM selection WHERE reason = 'motion'"
    return explain(workspace, one(workspace, rejected))


def test_a_clip_is_explained_with_every_measure(kept):
    assert isinstance(kept, ClipExplanation)
    assert set(kept.measures) | set(kept.place) == set(MEASURES) - set(SCORE_MEASURES)
    assert len(kept.video["uris"]) == 2
    assert (kept.place["start_s"], kept.place["end_s"]) == (6.0, 12.0)


def test_each_rule_of_each_subset_has_its_threshold_and_verdict(kept, still):
    def rules(clip, number):
        return [(r.rule, r.measure, r.condition, r.verdict) for r in clip.subsets[number].rules]

    assert rules(kept, 0) == [
        ("motion", "motion_vmaf", "at least 0.1", "passes"),
        ("bright_share", "bright_share", "at most 0.9", "passes"),
    ]
    assert rules(still, 0)[0] == ("motion", "motion_vmaf", "at least 0.1", "fails")
    assert rules(kept, 1) == [("width", "width", "at least 10000", "fails")]
    assert [(s.subset, s.status, s.reason) for s in still.subsets] == [
        ("256p", "rejected", "motion"),
        ("strict", "rejected", "width"),
    ]


def test_a_kept_clip_is_found_in_its_shard(workspace, kept):
    sample = kept.subsets[0].sample
    path = f"{workspace.uri}/{sample['file']}"
    assert (
        pq.read_table(path, columns=["clip_id"])["clip_id"][sample["row"]].as_py() == kept.clip_id
    )
    assert (sample["bucket"], sample["start_s"], sample["end_s"]) == ("16:9-128", 6.0, 12.0)


def test_a_video_is_explained_by_its_id_and_by_any_of_its_files(workspace, kept):
    video_id = kept.video["video_id"]
    by_id = explain(workspace, video_id)
    assert isinstance(by_id, VideoExplanation)
    assert by_id == explain(workspace, kept.video["uris"][1])
    assert [clip["verdicts"] for clip in by_id.clips] == [["256p: ok", "strict: width"]] * 2


def test_a_file_that_never_became_a_video_says_why(workspace):
    uri = one(workspace, "SELECT uri FROM sources WHERE status = 'failed'")
    found = explain(workspace, uri)
    assert (found.sources[0]["reason"], found.clips) == ("not_media", [])
    assert any("not_media" in line for line in as_lines(found))


def test_an_unknown_id_is_answered_with_the_nearest(workspace, kept):
    with pytest.raises(ValueError, match=f"the nearest: {kept.clip_id}"):
        explain(workspace, kept.clip_id[:-1])


def test_the_answer_is_json(kept, still):
    for clip in (kept, still):
        assert json.loads(json.dumps(dataclasses.asdict(clip)))["clip_id"] == clip.clip_id


def test_lines_for_people_say_what_is_asked_for(kept, still):
    lines = "\n".join(as_lines(kept))
    for words in (kept.clip_id, "6.000 to 12.000 s", "motion_vmaf", "subset 256p: kept", "row "):
        assert words in lines
    lines = "\n".join(as_lines(still))
    assert "subset 256p: rejected by motion" in lines
    assert "audit share" in lines


def test_a_clip_is_explained_with_what_models_said(workspace, kept, tmp_path):
    assert kept.scores == {}
    assert "scores: no model looked at it" in as_lines(kept)
    shutil.copytree(workspace.uri, tmp_path / "work")
    scored = Workspace(tmp_path / "work")
    add_scores(scored, nsfw=0.25, text="EXIT\x1b[2J\n5 km", copy_embedding=[[0.5] * 512])
    found = explain(scored, kept.clip_id)
    assert set(found.scores) >= set(SCORE_MEASURES) | {"models", "status", "text"}
    assert "copy_embedding" not in found.scores
    lines = [" ".join(line.split()) for line in as_lines(found)]
    assert {"scores by made:1", "nsfw 0.25", r"text EXIT\x1b[2J\n5 km"} <= set(lines)
    failed = dataclasses.replace(
        found, scores={"status": "failed", "reason": "model", "error": "NaN", "models": None}
    )
    assert "scores: failed: model: NaN" in as_lines(failed)


def test_names_cannot_move_the_cursor(kept):
    hostile = dataclasses.replace(kept, video=kept.video | {"uris": ["/a\x1b[2J\nok \u202e.mp4"]})
    lines = as_lines(hostile)
    assert not any(set(line) & set("\x1b\n\u202e") for line in lines)
    assert any(r"/a\x1b[2J\nok \u202e.mp4" in line for line in lines)


def test_a_duplicate_is_told_with_the_clip_that_was_kept_for_it(still):
    better = {"duplicate_of": "aaaa-0-100", "cosine": 0.97}
    subset = dataclasses.replace(still.subsets[0], selected=better)
    lines = as_lines(dataclasses.replace(still, subsets=[subset]))
    assert "  shows what aaaa-0-100 shows, alike 0.97" in lines
    assert not any("alike" in line for line in as_lines(still))
