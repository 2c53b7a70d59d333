"""The captions stage on a real table of clips, with captioners whose answers are known."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from captioning.captioner import CaptionClip, Captioner, Draft, NoDraft
from captioning.inputs import caption_inputs
from captioning.prompt_files import Prompt
from captioning.stage import CaptionsStage
from curation.clips import ClipsSettings, ClipsStage
from curation.media.sandbox import Limits
from curation.stage import CannotGoOn
from curation.tables import CAPTIONS, SCORES
from pipelines.engine import EngineSettings, Run, StageResources, run_stage
from pipelines.parts import write_parts
from pipelines.plan import committed_rows
from pipelines.worker import StageError
from pipelines.workspace import Workspace
from tests.workspaces import small_workspace

FINE = "A bright pattern drifts slowly across a plain wall, and its colours change."


class Scripted(Captioner):
    """Says what a function of the clip and the attempt says."""

    model = "scripted:1"
    prompt = Prompt("told", "Describe what is seen in this short piece of film.")

    def __init__(self, say: Callable[[CaptionClip, int], str | NoDraft]) -> None:
        self.say = say
        self.calls: list[tuple[int, list[str]]] = []
        self.seen: dict[str, CaptionClip] = {}

    def __call__(self, clips: Sequence[CaptionClip], attempt: int) -> list[Draft | NoDraft]:
        self.calls.append((attempt, [clip.clip_id for clip in clips]))
        self.seen |= {clip.clip_id: clip for clip in clips}
        answers = [self.say(clip, attempt) for clip in clips]
        return [Draft(one, "model", 10) if isinstance(one, str) else one for one in answers]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    return Workspace(tmp_path / "work")


@pytest.fixture
def inputs(workspace: Workspace) -> pa.Table:
    clips, videos = workspace.table("clips"), workspace.table("videos").read()
    ids = [
        clip["clip_id"] for row in clips.read(["clips"]).to_pylist() for clip in row["clips"] or []
    ]
    scores = [
        {
            "clip_id": ids[0],
            "status": "ok",
            "text": "STOP",
            "text_lines": [{"text": "STOP", "score": 0.75}],
            "models": ["conse:1"],
            "concept_labels": [{"label": "street sign", "score": 0.5}],
            "attributes": [{"kind": "place", "value": "outdoors", "score": 0.75}],
        },
        {
            "clip_id": ids[1],
            "status": "ok",
            "models": ["open-clip:1"],
            "concept_labels": [{"label": "smiling", "score": 0.75}],
        },
    ]
    return caption_inputs(
        pa.array(ids),
        committed_rows(clips, ClipsStage(ClipsSettings(), Limits())),
        clips.dataset(),
        videos,
        pa.Table.from_pylist(scores, schema=SCORES),
    )


def captioned(workspace: Workspace, inputs: pa.Table, who: Captioner, **settings: int) -> list[Any]:
    stage = CaptionsStage("mine", who, workspace.table("clips").uri, "upstream", **settings)
    stage.setup()
    found = stage(inputs)
    assert found.schema == CAPTIONS
    return sorted(found.to_pylist(), key=lambda row: row["clip_id"])


def test_every_clip_gets_its_caption_and_its_camera(workspace: Workspace, inputs: pa.Table) -> None:
    rows = captioned(workspace, inputs, Scripted(lambda clip, attempt: f"{FINE} {clip.clip_id}."))
    assert [row["clip_id"] for row in rows] == inputs["clip_id"].to_pylist()
    assert len(rows) == 3
    for row in rows:
        assert row["caption"] == f"{FINE} {row['clip_id']}."
        assert (row["status"], row["flags"], row["attempts"]) == ("ok", [], 1)
        assert (row["captioner"], row["model"], row["num_tokens"]) == ("mine", "scripted:1", 10)
        assert row["prompt_version"] == Scripted.prompt.version
        assert row["camera"] is None or 0 <= row["camera_confidence"] <= 1


def test_a_captioner_sees_frames_measures_path_labels_and_text(
    workspace: Workspace, inputs: pa.Table
) -> None:
    who = Scripted(lambda clip, attempt: FINE)
    captioned(workspace, inputs, who)
    first, *others = (who.seen[clip_id] for clip_id in inputs["clip_id"].to_pylist())
    assert (first.text, first.text_lines) == ("STOP", (("STOP", 0.75),))
    assert first.labels == (("street sign", 0.5),)
    assert first.attributes == (("place", "outdoors", 0.75),)
    assert {clip.labels for clip in others} == {()}, "a phrase of a CLIP names no thing"
    assert {clip.text for clip in others} == {None}
    for clip in (first, *others):
        times = [frame.time_s for frame in clip.frames]
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= clip.duration_s
        assert clip.frames[0].picture.shape[2] == 3
        assert clip.measures["motion_vmaf"] is not None
        assert len(clip.path) > 5


def test_a_flagged_caption_is_tried_again_and_the_others_are_not(
    workspace: Workspace, inputs: pa.Table
) -> None:
    odd = inputs["clip_id"][1].as_py()
    who = Scripted(lambda clip, n: "I'm sorry." if clip.clip_id == odd and n < 2 else FINE)
    rows = captioned(workspace, inputs, who, max_retries=3)
    assert [len(ids) for _, ids in who.calls] == [3, 1, 1]
    found = {row["clip_id"]: row for row in rows}
    assert (found[odd]["caption"], found[odd]["flags"], found[odd]["attempts"]) == (FINE, [], 3)
    assert found[odd]["num_tokens"] == 30


def test_retries_end_and_the_least_flawed_caption_is_kept_with_its_flags(
    workspace: Workspace, inputs: pa.Table
) -> None:
    said = ["I'm sorry, **no**", "A dog sits on the", "**A dog** sits on the"]
    who = Scripted(lambda clip, attempt: said[attempt])
    for row in captioned(workspace, inputs, who, max_retries=2):
        assert (row["status"], row["attempts"]) == ("ok", 3)
        assert (row["caption"], row["flags"]) == ("A dog sits on the", ["truncated"])
    assert len(who.calls) == 3
    who = Scripted(lambda clip, attempt: said[attempt])
    assert {row["attempts"] for row in captioned(workspace, inputs, who, max_retries=0)} == {1}


def test_what_has_no_draft_fails_with_the_reason_and_no_neighbour_does(
    workspace: Workspace, inputs: pa.Table
) -> None:
    odd = inputs["clip_id"][1].as_py()
    none = NoDraft("server", "tried 4 times \ud800")
    who = Scripted(lambda clip, attempt: none if clip.clip_id == odd else FINE)
    rows = {row["clip_id"]: row for row in captioned(workspace, inputs, who)}
    assert [row["status"] for row in rows.values()].count("ok") == 2
    failed = rows[odd]
    assert (failed["status"], failed["reason"], failed["captioner"]) == ("failed", "server", "mine")
    assert failed["error"] == "tried 4 times ?"


def test_a_flagged_caption_is_kept_where_another_try_gives_none(
    workspace: Workspace, inputs: pa.Table
) -> None:
    gone = NoDraft("server", "gone")
    who = Scripted(lambda clip, attempt: gone if attempt else "A dog sits on the")
    for row in captioned(workspace, inputs, who):
        assert (row["status"], row["flags"]) == ("ok", ["truncated"])


def test_a_batch_that_a_model_fails_on_is_tried_clip_by_clip(
    workspace: Workspace, inputs: pa.Table
) -> None:
    odd = inputs["clip_id"][1].as_py()

    class OutOfMemory(Scripted):
        def __call__(self, clips: Sequence[CaptionClip], attempt: int) -> list[Draft | NoDraft]:
            if len(clips) > 1 or clips[0].clip_id == odd:
                raise ValueError("out of memory")
            return super().__call__(clips, attempt)

    rows = captioned(workspace, inputs, OutOfMemory(lambda clip, attempt: FINE))
    found = {row["clip_id"]: (row["status"], row["reason"]) for row in rows}
    assert found.pop(odd) == ("failed", "model")
    assert set(found.values()) == {("ok", None)}


def test_frames_that_are_gone_or_broken_fail_their_clip_alone(
    workspace: Workspace, inputs: pa.Table
) -> None:
    table = workspace.table("clips")
    rows = table.read().to_pylist()
    video = next(row for row in rows if len(row["clips"] or []) > 1)
    video["frames"][0][0]["jpeg"] = b"no picture"
    video["frames"][1] = []
    broken = pa.Table.from_pylist([video], schema=table.read().schema)
    [part] = write_parts(table.uri, broken, "video_id")

    inputs = inputs.set_column(
        inputs.schema.get_field_index("part"),
        "part",
        pa.array([json.loads(part)["path"]] * inputs.num_rows),
    )
    found = captioned(workspace, inputs, Scripted(lambda clip, attempt: FINE))
    reasons = {row["clip_id"]: row["reason"] for row in found}
    first, second = (clip["clip_id"] for clip in video["clips"][:2])
    assert (reasons[first], reasons[second]) == ("frames", "frames")
    others = [row["clip_id"] for row in found if row["video_id"] != video["video_id"]]
    assert {reasons[clip_id] for clip_id in others} <= {"changed"}


def test_another_prompt_model_or_setting_makes_other_rows_and_nothing_else_does() -> None:
    def fingerprint(who: Captioner, name: str = "mine", upstream: str = "u", **more: int) -> str:
        return CaptionsStage(name, who, "clips", upstream, **more).fingerprint

    one = fingerprint(Scripted(lambda clip, attempt: FINE))
    assert fingerprint(Scripted(lambda clip, attempt: FINE), "other") == one
    changed = [Scripted(lambda clip, attempt: FINE) for _ in range(3)]
    changed[0].prompt = Prompt("told", "Describe it otherwise.")
    changed[1].model = "scripted:2"
    changed[2].variant = "hotter"
    found = [one, *map(fingerprint, changed)]
    found.append(fingerprint(changed[0], upstream="v"))
    assert len(set(found)) == len(found)
    assert fingerprint(changed[0], max_retries=1, max_words=9) == fingerprint(changed[0])


def test_a_run_whose_captioner_is_gone_ends_keeps_what_it_has_and_goes_on_later(
    tmp_path_factory: pytest.TempPathFactory, workspace: Workspace, inputs: pa.Table
) -> None:
    class Dying(Scripted):
        def __call__(self, clips: Sequence[CaptionClip], attempt: int) -> list[Draft | NoDraft]:
            if len(self.calls) == 2:
                raise CannotGoOn("the server at http://gpu is gone")
            return super().__call__(clips, attempt)

    table = Workspace(tmp_path_factory.mktemp("captions")).table("captions/mine")

    def run(who: Captioner) -> int:
        stage = CaptionsStage("mine", who, workspace.table("clips").uri, "upstream")

        with Run(table.workspace, EngineSettings(runner="inline")) as work:
            return run_stage(stage, inputs, table, work, StageResources(batch_size=1)).done

    with pytest.raises(
        StageError, match="stage captions stopped: the server at http://gpu is gone"
    ):
        run(Dying(lambda clip, attempt: FINE))
    assert table.read().num_rows == 2
    again = Scripted(lambda clip, attempt: FINE)
    run(again)
    assert [len(ids) for _, ids in again.calls] == [1], "only what was missing"
    assert sorted(table.read()["clip_id"].to_pylist()) == inputs["clip_id"].to_pylist()
