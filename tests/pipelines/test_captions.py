"""The whole way with captions: who writes them, what samples carry, and what a change costs."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from captioning.prompt_files import load_prompt
from curation.inputs import read_inputs
from curation.tables import full_prompt
from pipelines.curate import Curation, plans
from pipelines.dataset_card import dataset_card
from pipelines.explain import explain
from pipelines.explain_clip import ClipExplanation
from pipelines.explain_text import as_lines
from pipelines.findings import findings
from pipelines.queries import run_query
from pipelines.recipe import LoadedRecipe, load_recipe
from pipelines.recipe_entry import RecipeError
from pipelines.run import Run
from pipelines.summary import steps_of
from pipelines.verify import verify
from pipelines.worker import StageError
from pipelines.workspace import Workspace
from tests import media
from tests.captioning.vision import caption_server as served
from tests.captioning.vision.caption_server import MODEL, caption_server

RECIPE = """
clips:
  windows: {skip_head_s: 0, max_s: 6, mode: cover, min_shot_s: 4, max_per_video: null}
subsets:
  256p:
    rules: {motion_vmaf: {min: 0.1}}
    buckets: {base_px: 128}
captioning:
  grounded:
    facts: {rewriter: null}
engine: {runner: inline, stages: {captions: {batch_size: 1}}}
"""
SAID = "A bright pattern of colours drifts slowly across a plain wall, and then it changes."


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    made = media.ffmpeg("long.mp4", *media.source(seconds=24.0), *media.H264)
    shutil.copy(made, folder / "long.mp4")
    return folder


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE)
    return path


def curated(recipe_file: Path, footage: Path, place: Path, *settings: str) -> Curation:
    loaded = load_recipe(str(recipe_file), settings)
    recipe, workspace = loaded.recipe, Workspace(place)
    values = recipe.model_dump(mode="json")
    with Run(workspace, recipe.engine, recipe=values, recipe_hash=recipe.hash) as run:
        work = Curation(recipe, workspace, run)
        work.all(read_inputs([str(footage)]))
    return work


def done(work: Curation) -> dict[str, int]:
    return {summary.stage: summary.done for summary in work.summaries}


def videos_of(work: Curation) -> dict[str, str]:
    rows = run_query(work.workspace, "SELECT clip_id, video_sha256 FROM shards WHERE status = 'ok'")
    return dict(zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True))


def test_samples_carry_the_caption_its_parts_and_who_wrote_it(
    recipe_file: Path, footage: Path, tmp_path: Path
) -> None:
    work = curated(recipe_file, footage, tmp_path / "w")
    rows = run_query(
        work.workspace,
        """SELECT s.*, t.caption AS written FROM shards AS s
        JOIN captions AS t ON t.clip_id = s.clip_id AND t.captioner = s.captioner""",
    ).to_pylist()
    assert len(rows) == 4
    for row in rows:
        assert row["caption"] == row["written"] != ""
        parts = (row["fps_token"], row["camera_prefix"], row["caption"])
        assert row["prompt"] == full_prompt(*parts)
        assert row["prompt"].startswith("FPS-")
        assert (row["captioner"], row["caption_flags"]) == ("facts", [])
        assert row["prompt_version"] == load_prompt("join").version
    assert verify(work.workspace).is_sound
    assert "| facts |" in dataset_card(work.workspace)
    assert any(line.startswith("facts") for line in findings(work.workspace))
    found = explain(work.workspace, rows[0]["clip_id"])
    assert isinstance(found, ClipExplanation)
    text = "\n".join(as_lines(found))
    assert rows[0]["caption"] in text
    assert f"prompt     {rows[0]['prompt']}" in text


def test_a_new_prompt_writes_captions_again_and_cuts_no_clip_again(
    recipe_file: Path, footage: Path, tmp_path: Path
) -> None:
    before = curated(recipe_file, footage, tmp_path / "w")
    samples = videos_of(before)
    prompt = tmp_path / "mine.txt"
    prompt.write_text("Join these: {{two}}\nJoined:")
    after = curated(
        recipe_file, footage, tmp_path / "w", f"captioning.grounded.facts.prompt={prompt}"
    )
    assert done(after) == {"sources": 0, "clips": 0, "captions/facts": 4, "shards/256p": 0}
    assert videos_of(after) == samples
    current = run_query(after.workspace, "SELECT DISTINCT prompt_version FROM captions").to_pylist()
    carried = run_query(after.workspace, "SELECT DISTINCT prompt_version FROM shards").to_pylist()
    assert [row["prompt_version"].partition("-")[0] for row in current] == ["mine"]
    assert [row["prompt_version"].partition("-")[0] for row in carried] == ["join"]
    again = curated(
        recipe_file, footage, tmp_path / "w", f"captioning.grounded.facts.prompt={prompt}"
    )
    assert set(done(again).values()) == {0}
    assert verify(again.workspace).is_sound


def test_another_captioner_is_added_beside_the_first_and_moves_no_sample(
    recipe_file: Path, footage: Path, tmp_path: Path
) -> None:
    samples = videos_of(curated(recipe_file, footage, tmp_path / "w"))
    with caption_server(always=served.body(served.completion(SAID))) as script:
        settings = [f"captioning.vllm.large={{url: {script.url!r}, model: {MODEL}}}"]
        settings += ["captioning.per_clip=2", "captioning.shares={facts: 0.7, large: 0.3}"]
        work = curated(recipe_file, footage, tmp_path / "w", *settings)
    assert done(work)["captions/large"] == 4
    assert (done(work)["captions/facts"], done(work)["shards/256p"]) == (0, 0)
    assert videos_of(work) == samples
    joined = run_query(
        work.workspace,
        """SELECT concat_ws(' ', s.fps_token, s.camera_prefix, t.caption) AS prompt
        FROM shards AS s JOIN captions AS t ON t.clip_id = s.clip_id
        WHERE t.captioner = 'large'""",
    )["prompt"].to_pylist()
    assert len(joined) == 4
    assert all(prompt.endswith(SAID) for prompt in joined)
    assert verify(work.workspace).is_sound


def test_captioning_that_is_switched_on_later_gives_the_samples_their_prompts(
    recipe_file: Path, footage: Path, tmp_path: Path
) -> None:
    off = curated(recipe_file, footage, tmp_path / "w", "captioning.grounded.facts=null")
    assert (done(off)["shards/256p"], "captions/facts" in done(off)) == (4, False)
    before = videos_of(off)
    # A sample that has no caption yet stays until there is one.
    loaded = load_recipe(str(recipe_file))
    with Run(off.workspace, loaded.recipe.engine, recipe={}, recipe_hash="0") as run:
        some = Curation(loaded.recipe, off.workspace, run, limit=1)
        some.all(read_inputs([str(footage)]))
    assert videos_of(some) == before
    work = curated(recipe_file, footage, tmp_path / "w")
    prompts = run_query(work.workspace, "SELECT prompt FROM shards")["prompt"].to_pylist()
    assert len(prompts) == 4
    assert all(prompt.startswith("FPS-") for prompt in prompts)
    assert verify(work.workspace).is_sound
    again = curated(recipe_file, footage, tmp_path / "w")
    assert set(done(again).values()) == {0}
    off = curated(recipe_file, footage, tmp_path / "w", "captioning.grounded.facts=null")
    assert done(off)["shards/256p"] == 0
    assert verify(off.workspace).is_sound


def test_a_clip_without_a_caption_yet_waits_and_is_not_refused(
    recipe_file: Path, footage: Path, tmp_path: Path
) -> None:
    failing = served.status(400, b"no")
    with caption_server(always=failing) as script:
        settings = ["captioning.grounded.facts=null"]
        settings += [f"captioning.vllm.large={{url: {script.url!r}, model: {MODEL}}}"]
        work = curated(recipe_file, footage, tmp_path / "w", *settings)
    assert run_query(work.workspace, "SELECT * FROM shards").num_rows == 0
    steps = {step.name: step for step in steps_of(work.workspace)}
    assert steps["captions/large"].num("failed") == 4
    assert steps["shards/256p"].num("waiting") == 4
    assert {finding.check for finding in verify(work.workspace).findings} == {"unfinished"}


def test_a_clip_without_a_caption_that_the_subset_takes_gives_no_sample_until_it_has_one(
    recipe_file: Path, footage: Path, tmp_path: Path
) -> None:
    refusal = served.body(served.completion("I'm sorry, but I cannot help with that."))
    settings = ["captioning.grounded.facts=null", "captioning.max_retries=1"]
    with caption_server(always=refusal) as script:
        settings += [f"captioning.vllm.large={{url: {script.url!r}, model: {MODEL}}}"]
        work = curated(recipe_file, footage, tmp_path / "w", *settings)
        assert len(script.asked) == 8, "each clip was asked for once more"
        [row] = run_query(
            work.workspace,
            "SELECT status, reason, count(*) AS n, count(video) AS v FROM shards GROUP BY ALL",
        ).to_pylist()
        assert row == {"status": "rejected", "reason": "caption", "n": 4, "v": 0}
        assert not list((tmp_path / "w" / "shards" / "256p").glob("*.parquet"))
        assert verify(work.workspace).is_sound
        lines = as_lines(explain(work.workspace, _first(work)))
        why = "the subset takes none of its captions (`refused_flags`, `caption_reviews`)"
        assert f"  no sample: {why}" in lines

        taken = [*settings, "subsets.256p.refused_flags=[empty]"]
        work = curated(recipe_file, footage, tmp_path / "w", *taken)
        assert done(work)["shards/256p"] == 4
        plain = pq.read_table(sorted((tmp_path / "w" / "shards" / "256p").glob("*.parquet")))
        assert plain["caption_flags"].to_pylist() == [["refusal"]] * 4
        assert verify(work.workspace).is_sound

        # What is refused again has no place among the samples.
        work = curated(recipe_file, footage, tmp_path / "w", *settings)
        assert not list((tmp_path / "w" / "shards" / "256p").glob("*.parquet"))
        assert verify(work.workspace).is_sound


def test_a_server_that_dies_halfway_loses_no_caption_and_doubles_none(
    recipe_file: Path, footage: Path, tmp_path: Path
) -> None:
    settings = ["captioning.grounded.facts=null"]
    large = "captioning.vllm.large={{url: {!r}, model: {}, max_tries: 2, max_backoff_s: 0.01}}"
    fine = served.body(served.completion(SAID))
    number = 0

    def dying(handler: served.Handler) -> None:
        nonlocal number
        number += 1
        (fine if number < 3 else served.die)(handler)

    with (
        caption_server(always=dying) as script,
        pytest.raises(StageError, match=r"stopped: the caption server http://.* is gone"),
    ):
        curated(recipe_file, footage, tmp_path / "w", *settings, large.format(script.url, MODEL))
    table = Workspace(tmp_path / "w").table("captions/large")
    first = set(table.read()["clip_id"].to_pylist())
    assert len(first) == 2
    with caption_server(always=fine) as script:
        work = curated(
            recipe_file, footage, tmp_path / "w", *settings, large.format(script.url, MODEL)
        )
        assert len(script.asked) == 2, "another URL makes no caption again"
    ids = table.read()["clip_id"].to_pylist()
    assert len(ids) == len(set(ids)) == 4
    assert first < set(ids)
    assert verify(work.workspace).is_sound


def test_a_server_that_is_not_there_is_told_at_once_and_stops_nothing_that_is_done(
    recipe_file: Path, footage: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ["captioning.vllm.large={url: 'http://127.0.0.1:9', model: m}"]
    settings += ["captioning.shares={facts: 1, large: 0}"]
    caplog.set_level("WARNING", logger="pipelines")
    work = curated(recipe_file, footage, tmp_path / "w", *settings)
    assert "captioner large: there is no caption server at http://127.0.0.1:9" in caplog.text
    assert done(work)["captions/facts"] == 4
    with pytest.raises(ValueError, match="there is no caption server at http"):
        curated(recipe_file, footage, tmp_path / "w", settings[0], "captioning.per_clip=2")


def test_a_dry_run_counts_the_captions_to_write(
    recipe_file: Path, footage: Path, tmp_path: Path
) -> None:
    work = curated(recipe_file, footage, tmp_path / "w")
    inputs = read_inputs([str(footage)])

    def todo(loaded: LoadedRecipe) -> dict[str, int]:
        found = plans(loaded.recipe, work.workspace, inputs)
        return {plan.stage: plan.todo.num_rows for plan in found}

    assert todo(load_recipe(str(recipe_file)))["captions/facts"] == 0
    other = load_recipe(str(recipe_file), ["captioning.grounded.facts.rewriter=smollm2"])
    assert todo(other) == {"sources": 0, "clips": 0, "captions/facts": 4, "shards/256p": 0}


def test_resources_are_given_to_captioners_that_there_are(recipe_file: Path) -> None:
    with pytest.raises(RecipeError, match="captioners names 'x', and the captioners are facts"):
        load_recipe(str(recipe_file), ["engine.stages.captioners.x.num_gpus=1"])


def test_a_captioner_on_a_gpu_needs_workers_with_one(
    recipe_file: Path, footage: Path, tmp_path: Path
) -> None:
    settings = [
        "engine.runner=ray",
        f"captioning.llama.big={{transformers: {tmp_path}, device: cuda}}",
    ]
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"set engine\.stages\.captioners\.big\.num_gpus"):
        curated(recipe_file, footage, tmp_path / "w", *settings)


def _first(work: Curation) -> str:
    name: str = run_query(work.workspace, "SELECT min(clip_id) AS n FROM shards")["n"][0].as_py()
    return name
