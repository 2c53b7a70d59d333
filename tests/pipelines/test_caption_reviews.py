"""Verdicts on captions: stored while others work, and what they make of samples."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake.exceptions import CommitFailedError

from captioning.caption_reviews import CaptionVerdict
from curation.inputs import read_inputs
from curation.tables import CAPTIONS, full_prompt
from pipelines import caption_reviews
from pipelines import workspace as workspaces
from pipelines.caption_reviews import add_caption_reviews
from pipelines.curate import Curation
from pipelines.encode import latents_inputs
from pipelines.explain import explain
from pipelines.explain_text import as_lines
from pipelines.queries import run_query
from pipelines.recipe import load_recipe
from pipelines.run import Run
from pipelines.training_recipe import load_training_recipe
from pipelines.verify import verify
from pipelines.workspace import FencedError, Workspace
from tests import media
from training.encode import LatentsStage

RECIPE = """
clips:
  windows: {skip_head_s: 0, max_s: 6, mode: cover, min_shot_s: 4, max_per_video: null}
subsets:
  256p:
    buckets: {base_px: 128}
captioning:
  grounded:
    facts: {rewriter: null}
engine: {runner: inline}
"""


@pytest.fixture
def captioned(tmp_path: Path) -> Workspace:
    """A workspace with nothing but three captions."""
    made = Workspace(tmp_path / "w")
    rows = [{"clip_id": f"c{n}", "caption": f"Caption {n}.", "status": "ok"} for n in range(3)]
    table = pa.Table.from_pylist(rows, schema=CAPTIONS)
    made.table("captions/facts").replace(table, {})
    return made


def verdict(number: int, kind: str = "accept", **values: Any) -> CaptionVerdict:
    return CaptionVerdict(f"c{number}", "facts", kind, f"Caption {number}.", **values)


def stored(workspace: Workspace) -> list[dict[str, Any]]:
    return run_query(workspace, "FROM caption_reviews ORDER BY reviewed_at").to_pylist()


def test_verdicts_are_added_in_one_commit_that_says_who_made_it(captioned: Workspace) -> None:
    assert add_caption_reviews(captioned, []) == 0
    assert not captioned.table("caption_reviews").exists()
    first = [verdict(0), verdict(1, "edit", caption="A  wall.", reviewer="Ann")]
    assert add_caption_reviews(captioned, first, "moviola dashboard w") == 2
    assert add_caption_reviews(captioned, [verdict(0, "reject", note="no")]) == 1
    rows = stored(captioned)
    assert [(row["clip_id"], row["verdict"], row["caption"]) for row in rows] == [
        ("c0", "accept", None),
        ("c1", "edit", "A wall."),
        ("c0", "reject", None),
    ]
    delta = captioned.table("caption_reviews").delta()
    assert delta.version() == 1
    assert delta.history()[-1]["command"] == "moviola dashboard w"


def test_nothing_is_stored_where_one_verdict_is_wrong(captioned: Workspace) -> None:
    for bad in (
        verdict(9),
        verdict(0)._replace(captioner="nobody"),
        verdict(0)._replace(captioner="../facts"),
        verdict(0)._replace(reviewed="Another."),
    ):
        with pytest.raises(ValueError, match="nothing is stored"):
            add_caption_reviews(captioned, [verdict(1), bad])
    assert not captioned.table("caption_reviews").exists()


def test_verdicts_are_stored_while_another_run_holds_the_workspace(captioned: Workspace) -> None:
    with Run(captioned, command="moviola curate") as run:
        with pytest.raises(FencedError, match="moviola curate"), Run(captioned):
            pass
        assert add_caption_reviews(captioned, [verdict(0)]) == 1
        run.lease.check()
    assert len(stored(captioned)) == 1


def test_several_that_add_at_once_lose_nothing(captioned: Workspace) -> None:
    """The first of them makes the table."""
    with ThreadPoolExecutor(4) as pool:
        counts = pool.map(lambda n: add_caption_reviews(captioned, [verdict(n % 3)]), range(8))
        assert list(counts) == [1] * 8
    assert len(stored(captioned)) == 8


def test_a_commit_that_meets_another_is_tried_again_a_few_times(
    captioned: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_caption_reviews(captioned, [verdict(0)])
    write, failures = workspaces.write_deltalake, 2

    def failing(*args: Any, **values: Any) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise CommitFailedError("another commit was faster")
        write(*args, **values)

    monkeypatch.setattr(workspaces, "write_deltalake", failing)
    assert add_caption_reviews(captioned, [verdict(1)]) == 1
    assert len(stored(captioned)) == 2
    failures = 99
    with pytest.raises(FencedError, match="another commit was faster"):
        add_caption_reviews(captioned, [verdict(2)])
    assert len(stored(captioned)) == 2


def test_many_small_files_become_few_and_keep_their_rows(
    captioned: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caption_reviews, "MOST_FILES", 3)
    for number in range(6):
        add_caption_reviews(captioned, [verdict(number % 3, note=f"{number}")])
    assert [row["note"] for row in stored(captioned)] == [f"{number}" for number in range(6)]
    assert len(captioned.table("caption_reviews").delta().file_uris()) <= 3


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    made = media.ffmpeg("long.mp4", *media.source(seconds=18.0), *media.H264)
    shutil.copy(made, folder / "long.mp4")
    return folder


def curation(place: Path, work: Callable[[Curation], None], *settings: str) -> dict[str, int]:
    """Does some work in a workspace; the rows that each stage made."""
    path = place.parent / "mine.yaml"
    path.write_text(RECIPE)
    recipe, workspace = load_recipe(str(path), settings).recipe, Workspace(place)
    values = recipe.model_dump(mode="json")
    with Run(workspace, recipe.engine, recipe=values, recipe_hash=recipe.hash) as run:
        one = Curation(recipe, workspace, run)
        work(one)
    return {summary.stage: summary.done for summary in one.summaries}


@pytest.fixture(scope="module")
def curated(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("curated") / "w"
    curation(place, lambda work: work.all(read_inputs([str(footage)])))
    return place


@pytest.fixture
def work(curated: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(curated, tmp_path / "w")
    return Workspace(tmp_path / "w")


def shards(workspace: Workspace, *settings: str) -> int:
    """Brings the samples up to the captions; how many were made."""
    return curation(Path(workspace.uri), Curation.shards, *settings)["shards/256p"]


def samples(workspace: Workspace) -> list[dict[str, Any]]:
    return run_query(workspace, "SELECT * FROM shards ORDER BY clip_id").to_pylist()


def judge(workspace: Workspace, place: int, kind: str, **values: Any) -> str:
    """A verdict on the caption of a clip, by its place; the clip."""
    rows = run_query(workspace, "SELECT clip_id, caption FROM captions ORDER BY clip_id")
    clip = rows.to_pylist()[place]
    said = CaptionVerdict(clip["clip_id"], "facts", kind, clip["caption"], **values)
    add_caption_reviews(workspace, [said])
    name: str = clip["clip_id"]
    return name


def test_an_edited_caption_is_in_the_prompt_of_its_sample_and_no_other_is_made_again(
    work: Workspace,
) -> None:
    before = samples(work)
    assert len(before) == 3
    clip = judge(work, 1, "edit", caption="A hand-written caption.", reviewer="Ann", note="why")
    assert shards(work) == 1
    after = samples(work)
    assert [after[0], after[2]] == [before[0], before[2]]
    edited = after[1]
    parts = (before[1]["fps_token"], before[1]["camera_prefix"], "A hand-written caption.")
    assert (edited["clip_id"], edited["prompt"]) == (clip, full_prompt(*parts))
    assert (edited["captioner"], edited["prompt_version"]) == ("facts", "edited")
    assert edited["video_sha256"] == before[1]["video_sha256"]
    assert verify(work).is_sound
    assert shards(work) == 0

    # What `encode` reads has it too, and such rows are told by their prompt.
    recipe = load_training_recipe("train-demo").recipe
    found = latents_inputs(recipe, work, "256p")
    prompts = found.filter(pc.equal(found["clip_id"], clip))["prompt"].to_pylist()
    assert [prompt.endswith("A hand-written caption.") for prompt in prompts] == [True]
    assert "prompt" in LatentsStage.tracked

    lines = "\n".join(as_lines(explain(work, clip)))
    assert "  reviewed   edited by Ann on 20" in lines
    assert "UTC (why)\n  now reads  A hand-written caption." in lines

    # The edit is taken back.
    judge(work, 1, "accept")
    assert shards(work) == 1
    assert samples(work)[1]["prompt"] == before[1]["prompt"]
    assert shards(work) == 0


def test_a_rejected_caption_costs_its_sample_until_another_verdict(work: Workspace) -> None:
    before = samples(work)
    clip = judge(work, 0, "reject")
    assert shards(work) == 1
    row = samples(work)[0]
    assert (row["clip_id"], row["status"], row["reason"]) == (clip, "rejected", "caption")
    assert row["video"] is None
    assert verify(work).is_sound
    assert "  reviewed   rejected on 20" in "\n".join(as_lines(explain(work, clip)))
    assert shards(work) == 0
    judge(work, 0, "edit", caption="By hand.")
    assert shards(work) == 1
    assert samples(work)[0]["caption"] == "By hand."
    assert samples(work)[1:] == before[1:]


def test_required_takes_only_captions_that_a_person_accepted_or_wrote(work: Workspace) -> None:
    judge(work, 0, "accept")
    judge(work, 1, "edit", caption="By hand.")
    required = "subsets.256p.caption_reviews=required"
    assert shards(work, required) == 2, "the accepted one is as it was"
    states = [(row["status"], row["caption"]) for row in samples(work)]
    accepted = run_query(work, "SELECT caption FROM captions ORDER BY clip_id")["caption"][
        0
    ].as_py()
    assert states[:2] == [("ok", accepted), ("ok", "By hand.")]
    assert states[2][0] == "rejected"
    assert shards(work, required) == 0
    assert shards(work) == 1, "it may be taken again"
    assert [row["status"] for row in samples(work)] == ["ok"] * 3


def test_without_reviews_in_the_recipe_samples_stay_as_they_are(work: Workspace) -> None:
    judge(work, 0, "reject")
    judge(work, 1, "edit", caption="By hand.")
    before = samples(work)
    assert shards(work, "subsets.256p.caption_reviews=null") == 0
    assert samples(work) == before


def test_a_verdict_on_a_caption_that_is_written_again_no_longer_holds(work: Workspace) -> None:
    clip = judge(work, 0, "reject")
    table = work.table("captions/facts")
    rows = table.read()
    again = pa.array([f"{text} Again." for text in rows["caption"].to_pylist()])
    place = rows.schema.get_field_index("caption")
    table.replace(rows.set_column(place, rows.schema.field("caption"), again), {})
    [found] = run_query(work, "FROM caption_verdicts").to_pylist()
    assert (found["clip_id"], found["holds"]) == (clip, False)
    lines = "\n".join(as_lines(explain(work, clip)))
    assert "when it had other words: no longer holds" in lines
    # The sample carries the words that were rejected, so it gets the new ones; others wait.
    assert shards(work) == 1
    assert [row["caption"].endswith("Again.") for row in samples(work)] == [True, False, False]
    assert shards(work) == 0
    # So does the sample whose new words a person accepts.
    judge(work, 1, "accept")
    assert shards(work) == 1
    assert [row["caption"].endswith("Again.") for row in samples(work)] == [True, True, False]


def test_verify_sees_verdicts_that_cannot_be(work: Workspace) -> None:
    judge(work, 0, "accept")
    judge(work, 1, "edit", caption="By hand.")
    assert verify(work).is_sound
    table = work.table("caption_reviews")
    rows = table.read().sort_by("verdict")
    kinds = pa.array(["perhaps", "accept"])
    table.replace(rows.set_column(2, rows.schema.field("verdict"), kinds), {})
    [finding] = verify(work).findings
    assert finding.subject == "caption_reviews"
    assert finding.problem.startswith("2 verdict and edited text do not fit")
