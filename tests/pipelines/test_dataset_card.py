import shutil
from pathlib import Path

import pytest
import yaml

from curation import tables
from pipelines.dataset_card import dataset_card
from pipelines.queries import open_views
from pipelines.verify import verify
from pipelines.workspace import Workspace
from tests.workspaces import add_scores, curate, small_workspace


@pytest.fixture(scope="module")
def card():
    return dataset_card(small_workspace())


def header(card):
    return yaml.safe_load(card.split("---\n")[1])


def rows(card, first):
    return [line for line in card.splitlines() if line.startswith(f"| {first} |")]


def test_the_header_is_what_dataset_hubs_read(card):
    found = header(card)
    assert found["configs"] == [{"config_name": "256p", "data_files": "256p/*.parquet"}]
    assert found["license"] == "other"
    assert found["task_categories"] == ["text-to-video"]
    assert found["size_categories"] == ["n<1K"]


def test_the_files_it_names_are_the_samples():
    workspace = small_workspace()
    folder = Path(workspace.uri) / "shards"
    (pattern,) = (config["data_files"] for config in header(dataset_card(workspace))["configs"])
    assert len(list(folder.glob(pattern))) >= 1


def test_the_funnel_is_told_with_reasons(card):
    assert "| sources | files | 4 |" in card
    assert r"| selection/256p | rejected | motion | 1 | 0.00 |" in card
    assert r"| videos | rejected | same\_content | 1 | 0.00 |" in card


def test_rules_measures_and_columns_are_told(card):
    assert r"| motion | motion\_vmaf | at least 0.1 |" in card
    with open_views(small_workspace()) as connection:
        (least,) = connection.sql("""SELECT quantile_cont(motion_vmaf, 0.01) FROM clips
            JOIN selection USING (clip_id) WHERE subset = '256p' AND selection.status = 'ok'
        """).fetchall()[0]
    assert rf"| motion\_vmaf | {least:.3g} |" in card
    for field in tables.SHARD:
        assert f"| `{field.name}` |" in card


def test_the_spread_of_the_scores_and_their_models_are_told(card, tmp_path):
    assert "model of the scores" not in card
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    workspace = Workspace(tmp_path / "work")
    add_scores(workspace, quality_brisque=21.5)
    scored = dataset_card(workspace)
    assert r"| quality\_brisque | 21.5 | 21.5 | 21.5 | 21.5 | 21.5 |" in scored
    assert "| nsfw |" not in scored
    assert r"| made:1 | 3 |" in scored


def test_names_from_outside_stay_text(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(next(Path(small_workspace().uri).parent.glob("moving.mp4")), folder / "a.mp4")
    hostile = '"<script>alert(1)</script> | [x](javascript:y) `z`\n# Heading\n---\n"'
    manifest = tmp_path / "list.csv"
    manifest.write_text(f"uri,source,licence\n{folder}/a.mp4,{hostile},CC BY 4.0\n")
    card = dataset_card(curate(Workspace(tmp_path / "work"), manifest))
    assert "<script" not in card
    assert "\n# Heading" not in card
    assert r"\[x\]\(javascript:y\)" in card
    assert header(card)["license"] == "cc-by-4.0"


def test_a_workspace_that_keeps_nothing_is_sound_and_has_a_card(tmp_path):
    still = Path(small_workspace().uri).parent / "still.mp4"
    workspace = curate(Workspace(tmp_path / "work"), still)
    assert verify(workspace).is_sound
    card = dataset_card(workspace)
    assert "configs" not in header(card)
    assert "| selection/256p | rejected | motion | 1 |" in card


def test_without_shards_there_is_no_card(tmp_path):
    shutil.copytree(f"{small_workspace().uri}/sources", tmp_path / "sources")
    with pytest.raises(ValueError, match="no shards yet"):
        dataset_card(Workspace(tmp_path))
