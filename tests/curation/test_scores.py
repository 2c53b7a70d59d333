"""The scores stage on a real table of clips, with a made model where its answer must be known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import ValidationError
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from curation import tables
from curation.clips import ClipsSettings, ClipsStage
from curation.funnel import funnel
from curation.media.rendering import Picture
from curation.media.sandbox import Limits
from curation.models.model import FrameModel, check_finite, score_columns
from curation.models.quality import Brisque
from curation.models.safety import NsfwClassifier
from curation.models.sscd import CopyDetector
from curation.models.text import TextReader
from curation.scores import INPUTS, ScoresSettings, ScoresStage, models, score_inputs
from curation.selection import SelectionSettings, SubsetSettings, candidates, select
from curation.views import connect
from pipelines.engine import EngineSettings, Run, run_stage
from pipelines.parts import write_parts
from pipelines.plan import committed_rows
from pipelines.workspace import Workspace
from tests.models import weights
from tests.networks import tiny_classifier, tiny_clip
from tests.workspaces import small_workspace

KEEPS_ALL = SubsetSettings(buckets={"base_px": 64, "max_repeated_share": 1.0})


class Redness(FrameModel):
    """The mean red of the frames as `nsfw`, 0 to 1; NaN above `refuses_above`."""

    name: ClassVar[str] = "redness"
    version: str = "1"
    columns: ClassVar[pa.Schema] = score_columns("nsfw")

    def __init__(self, weights: Path = Path(), refuses_above: float = np.inf) -> None:
        super().__init__(weights)
        self.refuses_above = refuses_above

    def setup(self) -> None:
        pass

    def __call__(self, clips: Sequence[Sequence[Picture]]) -> list[dict[str, Any]]:
        rows = []
        for index, frames in enumerate(clips):
            red = float(np.mean([frame[..., 0].mean() for frame in frames])) / 255
            check_finite(self.name, index, np.array(np.nan if red > self.refuses_above else red))
            rows.append({"nsfw": red})
        return rows


@pytest.fixture
def clips() -> tuple[Workspace, pa.Table]:
    """The small workspace, and what the stage takes for all of its clips."""
    workspace = small_workspace()
    clips, videos = workspace.table("clips"), workspace.table("videos").read()
    found = candidates({"all": KEEPS_ALL}, SelectionSettings(), clips.dataset(), videos)
    stage = ClipsStage(ClipsSettings(), Limits())
    return workspace, score_inputs(found, committed_rows(clips, stage))


def scored(workspace: Workspace, inputs: pa.Table, *chosen: FrameModel) -> list[dict[str, Any]]:
    stage = ScoresStage(chosen, workspace.table("clips").uri, "upstream")
    stage.setup()
    return sorted(stage(inputs).to_pylist(), key=lambda row: row["clip_id"])


def test_a_model_answers_with_its_columns_of_the_table_and_no_others() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    for kind in (CopyDetector, NsfwClassifier, TextReader, Brisque):
        model = kind(weights())
        model.setup()
        [answer] = model([[frame]])
        assert set(answer) == set(kind.columns.names)
        assert kind.columns == pa.schema([tables.SCORES.field(name) for name in answer])


def test_every_model_of_the_settings_looks_at_every_clip(clips: tuple[Workspace, pa.Table]) -> None:
    workspace, inputs = clips
    settings = ScoresSettings(
        copy_detection="distilled", safety="open-nsfw", text="pp-ocrv6", quality="brisque"
    )
    rows = scored(workspace, inputs, *models(settings, weights()))
    assert [row["clip_id"] for row in rows] == sorted(inputs["clip_id"].to_pylist())
    assert len(rows) == 3
    for row in rows:
        assert row["status"] == "ok"
        assert [name.split(":")[0] for name in row["models"]] == [
            *("sscd", "open-nsfw", "pp-ocr", "brisque")
        ]
        assert np.linalg.norm(row["copy_embedding"], axis=1) == pytest.approx(1, abs=1e-3)
        assert 0 <= row["nsfw"] <= 1
        assert 0 <= row["text_share"] <= 1
        assert row["quality_brisque"] is not None


def test_the_full_profile_scores_every_clip(
    clips: tuple[Workspace, pa.Table], tmp_path: Path
) -> None:
    tiny_clip(tmp_path / "clip")
    tiny_classifier(tmp_path / "vit")
    save_file({"weight": np.ones((1, 32), np.float32), "bias": np.full(1, 4.0, np.float32)},
              tmp_path / "head.safetensors")  # fmt: skip
    settings = ScoresSettings.model_validate(
        {
            "concept": {"open_clip": str(tmp_path / "clip")},
            "aesthetic": {"head": str(tmp_path / "head.safetensors")},
            "safety": {"transformers": str(tmp_path / "vit"), "unsafe": ("bad",)},
        }
    )
    chosen = models(settings, weights())
    for model in chosen:
        model.check()
    workspace, inputs = clips
    for row in scored(workspace, inputs, *chosen):
        assert (row["status"], row["error"]) == ("ok", None)
        assert [name.split(":")[0] for name in row["models"]] == [
            *("open-clip", "laion-aesthetic", "image-classifier")
        ]
        assert np.linalg.norm(row["concept_embedding"]) == pytest.approx(1, abs=1e-5)
        assert [set(label) for label in row["concept_labels"]] == [{"label", "score"}] * 5
        assert 0 <= row["people"] <= 1
        assert abs(row["aesthetic"] - 4) <= np.sqrt(32)
        assert 0 <= row["nsfw"] <= 1


def test_a_clip_whose_weights_are_nan_fails_as_model(
    clips: tuple[Workspace, pa.Table], tmp_path: Path
) -> None:
    broken = tiny_clip(tmp_path).state_dict()
    broken["visual.proj"][0] = np.nan
    save_torch_file(broken, tmp_path / "open_clip_model.safetensors")
    settings = ScoresSettings.model_validate({"concept": {"open_clip": str(tmp_path)}})
    workspace, inputs = clips
    rows = scored(workspace, inputs, *models(settings, weights()))
    assert {(row["status"], row["reason"]) for row in rows} == {("failed", "model")}
    assert "open-clip returned NaN" in rows[0]["error"]


def test_two_models_of_one_column_are_refused() -> None:
    settings = ScoresSettings(safety="open-nsfw", quality="tests.curation.test_scores:Redness")
    with pytest.raises(ValueError, match="models open-nsfw and redness both fill nsfw"):
        models(settings, weights())


def test_an_aesthetic_head_needs_a_clip_below_it() -> None:
    with pytest.raises(ValidationError, match="needs a `backbone`, or a `concept` by open_clip"):
        ScoresSettings.model_validate({"aesthetic": {"head": "head.pth"}})


def test_a_missing_file_is_told_before_any_model_is_loaded(tmp_path: Path) -> None:
    settings = ScoresSettings(copy_detection="int8", quality="brisque")
    for model in models(settings, tmp_path):
        with pytest.raises(ValueError, match=r"is missing; `make setup` fetches it"):
            model.check()


def test_a_model_sees_the_stored_frames_as_rgb(clips: tuple[Workspace, pa.Table]) -> None:
    workspace, inputs = clips
    with connect({"clips": workspace.table("clips").dataset()}) as connection:
        pictures = connection.sql("FROM clip_frames").to_arrow_table().to_pylist()
    for row in scored(workspace, inputs, Redness()):
        own = [picture for picture in pictures if picture["clip_id"] == row["clip_id"]]
        bgr = [cv2.imdecode(np.frombuffer(p["jpeg"], np.uint8), cv2.IMREAD_COLOR) for p in own]
        red = np.mean([picture[..., 2].mean() for picture in bgr]) / 255
        assert row["nsfw"] == pytest.approx(red, abs=1e-6)


def test_a_model_that_returns_nan_costs_that_clip_alone(clips: tuple[Workspace, pa.Table]) -> None:
    workspace, inputs = clips
    reds = sorted(row["nsfw"] for row in scored(workspace, inputs, Redness()))
    rows = scored(workspace, inputs, Redness(refuses_above=(reds[-1] + reds[-2]) / 2))
    assert sorted(row["status"] for row in rows) == ["failed", "ok", "ok"]
    [bad] = [row for row in rows if row["status"] == "failed"]
    assert bad["reason"] == "model"
    assert "redness returned NaN" in bad["error"]


def test_one_corrupt_picture_costs_its_clip_alone(tmp_path: Path) -> None:
    good = cv2.imencode(".jpg", np.zeros((32, 32, 3), np.uint8))[1].tobytes()
    frames = [[{"time_s": 0.0, "jpeg": good}], [{"time_s": 9.0, "jpeg": b"\xff\xd8 no picture"}]]
    row = {
        "video_id": "v",
        "clips": [{"clip_id": "v-0-9"}, {"clip_id": "v-9-9"}],
        "frames": frames,
        "status": "ok",
    }
    part = pa.Table.from_pylist([row], schema=tables.CLIPS)
    part = part.append_column(tables.FINGERPRINT, pa.array(["made"]))
    write_parts(str(tmp_path), part, "video_id")
    [path] = tmp_path.glob("*.parquet")
    ids = [{"clip_id": name, "video_id": "v", "part": path.name} for name in ("v-0-9", "v-9-9")]
    stage = ScoresStage([Redness()], str(tmp_path), "upstream")
    stage.setup()
    rows = stage(pa.Table.from_pylist(ids, schema=INPUTS)).sort_by("clip_id").to_pylist()
    assert [(row["status"], row["reason"]) for row in rows] == [("ok", None), ("failed", "frames")]


def test_a_clip_that_is_gone_from_its_part_is_changed(clips: tuple[Workspace, pa.Table]) -> None:
    workspace, inputs = clips
    gone = [inputs.to_pylist()[0] | {"clip_id": "gone-0-1"}]
    [row] = scored(workspace, pa.Table.from_pylist(gone, schema=INPUTS), Redness())
    assert (row["status"], row["reason"]) == ("failed", "changed")


def test_models_look_only_at_what_the_rules_on_measures_leave() -> None:
    workspace = small_workspace()
    clips, videos = workspace.table("clips").dataset(), workspace.table("videos").read()
    strict = KEEPS_ALL.model_copy(
        update={
            "rules": SubsetSettings(rules={"motion_vmaf": {"min": 0.1}, "nsfw": {"max": 0}}).rules
        }
    )
    none, all_of_them = SelectionSettings(audit_share=0), SelectionSettings(audit_share=1)
    with connect({"clips": clips, "videos": videos}) as connection:
        moving = connection.sql("SELECT clip_id FROM clips WHERE motion_vmaf >= 0.1").fetchall()
    found = candidates({"strict": strict}, none, clips, videos)
    assert set(found["clip_id"].to_pylist()) == {name for (name,) in moving}
    assert 0 < found.num_rows < 3
    assert candidates({"strict": strict}, all_of_them, clips, videos).num_rows == 3


def test_rules_on_scores_come_last_and_reject_what_has_no_score(
    clips: tuple[Workspace, pa.Table],
) -> None:
    workspace, inputs = clips
    rows = scored(workspace, inputs, Redness())
    table = pa.Table.from_pylist(rows[:2], schema=tables.SCORES)
    limit = (rows[0]["nsfw"] + rows[1]["nsfw"]) / 2
    subset = KEEPS_ALL.model_copy(
        update={
            "rules": SubsetSettings(
                rules={"nsfw": {"max": limit}, "motion_vmaf": {"min": 0.1}}
            ).rules
        }
    )
    data = (workspace.table("clips").dataset(), workspace.table("videos").read(), table)
    verdicts = select("s", subset, SelectionSettings(), *data).to_pylist()
    with connect({"clips": data[0], "videos": data[1]}) as connection:
        moving = dict(connection.sql("SELECT clip_id, motion_vmaf >= 0.1 FROM clips").fetchall())
    scores = {row["clip_id"]: row["nsfw"] for row in rows[:2]}
    for verdict in verdicts:
        name = verdict["clip_id"]
        if not moving[name]:
            expected = "motion_vmaf"
        elif name not in scores:
            expected = "nsfw:unscored"
        else:
            expected = "nsfw" if scores[name] > limit else None
        assert verdict["reason"] == expected


def test_the_engine_resumes_and_the_funnel_counts(
    clips: tuple[Workspace, pa.Table], tmp_path: Path
) -> None:
    source, inputs = clips
    workspace = Workspace(tmp_path)
    stage = ScoresStage([Redness()], source.table("clips").uri, "upstream")
    with Run(workspace, EngineSettings(runner="inline")) as run:
        first = run_stage(stage, inputs.slice(0, 2), workspace.table("scores"), run)
        again = run_stage(stage, inputs, workspace.table("scores"), run)
        other = ScoresStage([Redness()], source.table("clips").uri, "other frames")
        anew = run_stage(other, inputs, workspace.table("scores"), run)
    assert (first.done, again.done_before, again.done) == (2, 2, 1)
    assert anew.done == 3
    names = ("clips", "videos", "selection")
    rows = {name: source.table(name).dataset() for name in names}
    with connect(rows | {"scores": workspace.table("scores").read()}) as connection:
        [step] = [step for step in funnel(connection) if step.name == "scores"]
    assert (step.num_in, step.num_out, step.adds_up) == (3, 3, True)
    assert pc.all(pc.equal(workspace.table("scores").read()["status"], "ok")).as_py()
