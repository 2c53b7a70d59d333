"""From shards to latents: what a run does, does again and leaves alone."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import numpy as np
import obstore
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import write_deltalake

from curation.tables import content_sha256, full_prompt
from pipelines.cli import app
from pipelines.encode import Encoding, encoding_run, latents_stage, plans
from pipelines.engine import Interrupted
from pipelines.explain import explain
from pipelines.explain_clip import ClipExplanation
from pipelines.explain_text import as_lines
from pipelines.queries import run_query
from pipelines.training_recipe import load_training_recipe
from pipelines.verify import verify
from pipelines.workspace import Workspace
from tests.pipelines.test_workspace import bucket  # noqa: F401 - a fixture
from tests.training.toy_models import BlockMeans, array, caption
from tests.workspaces import small_workspace

RECIPE = """\
autoencoder: {folder: tae}
text: {words: {kind: bytes}, quoted: {kind: bytes, of: quoted}}
latents: {256p: {base_px: 64, frame_stride: 8, max_frames: 8}}
stages: {t2v: {steps: 1, data: {subset: 256p}}}
encoding: {runner: inline, batch_size: 1}
"""
SHARDS = "shards/256p"


class Coder:
    """Which autoencoder the recipe's settings lead to."""

    version = "means-1"
    breaks_at: float | None = None
    on_encode: Callable[[], None] = staticmethod(lambda: None)


class Counted(BlockMeans):
    def encode(self, video: Any) -> Any:
        Coder.on_encode()
        return super().encode(video)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("version", "breaks_at", "on_encode"):
        monkeypatch.setattr(Coder, name, Coder.__dict__[name])
    monkeypatch.setattr(
        "training.autoencoder.coder.autoencoder",
        lambda settings: Counted(Coder.version, breaks_at=Coder.breaks_at),
    )


@pytest.fixture
def recipe_file(tmp_path: Path) -> str:
    path = tmp_path / "train.yaml"
    path.write_text(RECIPE)
    return str(path)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two samples with captions, in one part each."""
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    made = Workspace(tmp_path / "work")
    rewrite(made, lambda row: row | said(row, caption(row["start_s"] > 0)))
    return made


def said(row: dict[str, Any], words: str | None) -> dict[str, Any]:
    prompt = full_prompt(row["fps_token"], row["camera_prefix"], words)
    return {"caption": words, "captioner": "facts", "prompt": prompt}


def rewrite(workspace: Workspace, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Replaces the rows of the shards by what `change` makes of each, as one honest commit."""
    table = workspace.table(SHARDS)
    rows = table.read()
    changed = pa.Table.from_pylist([change(row) for row in rows.to_pylist()], schema=rows.schema)
    write_deltalake(table.uri, changed.sort_by("clip_id"), mode="overwrite")
    if not workspace.is_remote:
        known = table.delta().get_add_actions()["path"].to_pylist()
        for path in Path(table.uri).glob("*.parquet"):
            if path.name not in known:
                path.unlink()


def encoded(workspace: Workspace, recipe_file: str, *settings: str, **words: Any) -> Encoding:
    recipe = load_training_recipe(recipe_file, settings).recipe
    with encoding_run(recipe, workspace, "test") as run:
        work = Encoding(recipe, workspace, run, **words)
        work.all()
    return work


def done(work: Encoding) -> dict[str, int]:
    return {summary.stage: summary.done for summary in work.summaries}


def latents(workspace: Workspace) -> list[dict[str, Any]]:
    rows = workspace.table("latents/256p").read().sort_by("clip_id")
    kept: list[dict[str, Any]] = rows.drop_columns(["cpu_s"]).to_pylist()
    return kept


def test_every_sample_is_encoded_once_and_again_nothing_is_done(
    workspace: Workspace, recipe_file: str
) -> None:
    assert done(encoded(workspace, recipe_file)) == {"latents/256p": 2}
    first = latents(workspace)
    version = workspace.table("latents/256p").delta().version()
    assert done(encoded(workspace, recipe_file)) == {"latents/256p": 0}
    assert workspace.table("latents/256p").delta().version() == version
    assert latents(workspace) == first
    for row in first:
        assert (row["status"], row["num_frames"]) == ("ok", 8)
        assert (row["width"], row["height"], row["latent_shape"]) == (80, 48, [3, 1, 6, 10])
        assert row["prompt"].startswith("FPS-3 A bright pattern")
        assert row["encoder_hash"] == row["fingerprint"]
    assert verify(workspace).findings == []


def test_a_run_that_is_stopped_in_the_middle_goes_on_where_it_was(
    workspace: Workspace, recipe_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def stop() -> None:
        calls.append(1)
        if len(calls) == 2:  # of the first row, once for the frames and once for the middle one
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Coder, "on_encode", staticmethod(stop))
    with pytest.raises(Interrupted):
        encoded(workspace, recipe_file)
    assert len(latents(workspace)) == 1
    [finding] = verify(workspace).findings
    assert (finding.check, finding.subject) == ("unfinished", "latents/256p")
    assert done(encoded(workspace, recipe_file)) == {"latents/256p": 1}
    assert len(calls) == 4
    assert verify(workspace).is_sound


def test_another_autoencoder_or_another_size_withdraws_every_row_and_does_it_again(
    workspace: Workspace, recipe_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded(workspace, recipe_file)
    before = {row["encoder_hash"] for row in latents(workspace)}
    monkeypatch.setattr(Coder, "version", "means-2")
    recipe = load_training_recipe(recipe_file).recipe
    [plan] = plans(recipe, workspace)
    assert (plan.reasons, plan.todo.num_rows) == ({"settings": 2}, 2)
    assert done(encoded(workspace, recipe_file)) == {"latents/256p": 2}
    after = {row["encoder_hash"] for row in latents(workspace)}
    assert len(after) == 1 and not after & before
    assert after == {latents_stage(recipe, workspace, "256p").fingerprint}
    work = encoded(workspace, recipe_file, "latents.256p.base_px=48")
    assert done(work) == {"latents/256p": 2}
    assert verify(workspace).is_sound


def test_settings_of_training_that_touch_no_array_redo_nothing(
    workspace: Workspace, recipe_file: str
) -> None:
    encoded(workspace, recipe_file)
    settings = ["stages.t2v.steps=9", "transformer.size=1b", "encoding.batch_size=2", "seed=3"]
    assert done(encoded(workspace, recipe_file, *settings)) == {"latents/256p": 0}


def test_a_changed_caption_a_changed_licence_and_a_changed_sample_redo_their_rows(
    workspace: Workspace, recipe_file: str
) -> None:
    encoded(workspace, recipe_file)
    first, second = latents(workspace)

    def with_words(row: dict[str, Any]) -> dict[str, Any]:
        return row | said(row, "A wall.") if row["clip_id"] == first["clip_id"] else row

    rewrite(workspace, with_words)
    assert {finding.subject for finding in verify(workspace).findings} == {"latents"}
    assert done(encoded(workspace, recipe_file)) == {"latents/256p": 1}
    assert [row["prompt"] for row in latents(workspace)] == ["FPS-3 A wall.", second["prompt"]]
    assert verify(workspace).is_sound
    rewrite(workspace, lambda row: row | {"licence": "CC0"})
    assert done(encoded(workspace, recipe_file)) == {"latents/256p": 2}


def test_a_sample_that_is_no_longer_there_takes_its_row_along(
    workspace: Workspace, recipe_file: str
) -> None:
    encoded(workspace, recipe_file)
    gone = latents(workspace)[0]["clip_id"]
    table = workspace.table(SHARDS)
    rest = table.read(filter=pc.field("clip_id") != gone)
    write_deltalake(table.uri, rest, mode="overwrite")
    work = encoded(workspace, recipe_file)
    assert (done(work), work.summaries[0].withdrawn) == ({"latents/256p": 0}, {"vanished": 1})
    assert [row["clip_id"] for row in latents(workspace)] == rest["clip_id"].to_pylist()


def test_a_broken_sample_fails_alone_and_is_tried_again_when_asked(
    workspace: Workspace, recipe_file: str
) -> None:
    rows = {row["clip_id"]: row for row in workspace.table(SHARDS).read().to_pylist()}
    broken = min(rows)

    def cut_off(row: dict[str, Any]) -> dict[str, Any]:
        half = row["video"][: len(row["video"]) // 2]
        made = {"video": half, "video_sha256": content_sha256(half)}
        return row | made if row["clip_id"] == broken else row

    rewrite(workspace, cut_off)
    assert done(encoded(workspace, recipe_file)) == {"latents/256p": 2}
    assert [(row["status"], row["reason"]) for row in latents(workspace)] == [
        ("failed", "frames"),
        ("ok", None),
    ]
    assert done(encoded(workspace, recipe_file)) == {"latents/256p": 0}
    assert done(encoded(workspace, recipe_file, retry_failed=True)) == {"latents/256p": 1}
    rewrite(workspace, lambda row: rows[row["clip_id"]])
    assert done(encoded(workspace, recipe_file)) == {"latents/256p": 1}
    assert verify(workspace).is_sound


def test_samples_without_captions_are_rejected(tmp_path: Path, recipe_file: str) -> None:
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    place = Workspace(tmp_path / "work")
    encoded(place, recipe_file)
    assert {(row["status"], row["reason"]) for row in latents(place)} == {("rejected", "prompt")}
    assert verify(place).is_sound
    [clip] = run_query(place, "SELECT min(clip_id) AS c FROM shards")["c"].to_pylist()
    assert any("without a prompt" in line for line in as_lines(explain(place, clip)))


def test_a_limit_does_so_many_samples(workspace: Workspace, recipe_file: str) -> None:
    assert done(encoded(workspace, recipe_file, limit=1)) == {"latents/256p": 1}
    assert done(encoded(workspace, recipe_file, limit=1)) == {"latents/256p": 1}


def test_a_subset_that_is_not_there_is_named_with_those_that_are(
    workspace: Workspace, recipe_file: str, tmp_path: Path
) -> None:
    settings = "stages.more={steps: 1, data: {subset: 768p}}"
    with pytest.raises(
        ValueError, match=r"no shards/768p, which stages\.more\.data\.subset names; .* 256p"
    ):
        encoded(workspace, recipe_file, settings)
    assert not workspace.table("latents/256p").exists()
    shutil.rmtree(workspace.table(SHARDS).uri)
    shutil.rmtree(workspace.table("shards/strict").uri)
    with pytest.raises(ValueError, match="none: run `moviola curate` first"):
        encoded(workspace, recipe_file)
    with pytest.raises(ValueError, match="is no workspace"):
        command(recipe_file, "--workspace", str(tmp_path / "empty"))
    assert not (tmp_path / "empty").exists()


def test_a_subset_without_a_sample_gives_an_empty_table_and_a_warning(
    workspace: Workspace, recipe_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    more = "stages.more={steps: 1, data: {subset: strict}}"
    assert done(encoded(workspace, recipe_file, more)) == {"latents/256p": 2, "latents/strict": 0}
    assert "shards/strict holds no sample" in caplog.text
    assert workspace.table("latents/strict").read().num_rows == 0
    assert verify(workspace).is_sound


def test_views_and_explain_know_the_latents(workspace: Workspace, recipe_file: str) -> None:
    encoded(workspace, recipe_file)
    rows = run_query(
        workspace,
        """SELECT clip_id, octet_length(l.latent) AS n, l.text[1].name AS who, s.fps / l.fps AS k
        FROM latents AS l JOIN latents_256p AS o USING (clip_id) JOIN shards AS s USING (clip_id)
        WHERE l.subset = '256p'""",
    ).to_pylist()
    assert [(row["n"], row["who"], row["k"]) for row in rows] == [
        (3 * 1 * 6 * 10 * 2, "words", 8)
    ] * 2
    found = explain(workspace, rows[0]["clip_id"])
    assert isinstance(found, ClipExplanation)
    [line] = [line for line in as_lines(found) if line.startswith("  latents ")]
    assert "8 frames of 80x48 px as 3x1x6x10" in line


@pytest.mark.parametrize(
    ("column", "change", "said"),
    [
        ("latent", lambda old: old[:-2], "latent has 358 bytes"),
        ("latent_shape", lambda old: [3, 6, 10], "latent is no float16 array of 4 axes"),
        ("image_latent", lambda old: None, "image_latent is there for an image"),
        ("latent_mean", lambda old: old[:1], "latent_mean does not have 3 channels"),
        ("text", lambda old: [old[0] | {"shape": [7]}, old[1]], "text words has"),
        ("encoder_hash", lambda old: "another", "encoders in one table"),
        ("video_sha256", lambda old: "0" * 64, "of no sample, or of what was one"),
    ],
)
def test_verify_finds_arrays_that_are_not_what_their_row_says(
    workspace: Workspace, recipe_file: str, column: str, change: Callable[[Any], Any], said: str
) -> None:
    encoded(workspace, recipe_file)
    table = workspace.table("latents/256p")
    rows = table.read().sort_by("clip_id").to_pylist()
    rows[0][column] = change(rows[0][column])
    changed = pa.Table.from_pylist(rows, schema=table.read().schema)
    write_deltalake(table.uri, changed, mode="overwrite")
    assert said in "; ".join(finding.problem for finding in verify(workspace).findings)


def test_a_workspace_in_a_bucket_is_encoded_like_any_other(
    bucket: str,  # noqa: F811
    workspace: Workspace,
    recipe_file: str,
) -> None:
    remote = Workspace(f"{bucket}/encoded")
    for path in Path(workspace.uri).rglob("*"):
        if path.is_file():
            name = str(path.relative_to(workspace.uri))
            obstore.put(remote.store(), name, path.read_bytes())
    assert done(encoded(remote, recipe_file)) == {"latents/256p": 2}
    encoded(workspace, recipe_file)
    assert latents(remote) == latents(workspace)
    assert verify(remote).is_sound


def command(*words: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(app, ["encode", *words], catch_exceptions=False)


def test_the_command_says_what_it_would_do_and_what_it_did(
    workspace: Workspace, recipe_file: str
) -> None:
    words = [recipe_file, "--workspace", workspace.uri, "--progress", "plain"]
    plan = command(*words, "--dry-run").stdout
    assert plan == "latents/256p: 2 known, 0 done, 2 to do\n"
    assert not workspace.table("latents/256p").exists()
    shown = command(*words)
    assert shown.exit_code == 0
    for said in ("latents/256p", "3x1x6x10", f"{workspace.uri}/latents/256p"):
        assert said in shown.stdout
    again = json.loads(command(*words, "--json").stdout)
    assert [stage["done"] for stage in again["stages"]] == [0]
    [step] = again["funnel"]
    assert (step["name"], step["num_in"], step["num_out"]) == ("latents/256p", 2, 2)
    assert "folder: " in command(recipe_file, "--print-config").stdout


def test_too_many_failures_are_told_by_the_exit_code(
    workspace: Workspace, recipe_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Coder, "breaks_at", float("nan"))
    words = [recipe_file, "--workspace", workspace.uri, "--progress", "plain"]
    shown = command(*words)
    assert shown.exit_code == 3
    assert "100.0% of a subset's samples failed; encoding.max_failed_share is 5.0%" in shown.stderr
    assert "2 model" in shown.stdout
    assert command(*words, "--set", "encoding.max_failed_share=1").exit_code == 0


def test_latents_are_stored_as_half_precision_little_endian(
    workspace: Workspace, recipe_file: str
) -> None:
    encoded(workspace, recipe_file)
    values = array(latents(workspace)[0]["latent"], [3, 1, 6, 10])
    assert values.dtype == np.dtype("<f2") and np.abs(values.astype(float)).max() < 3
