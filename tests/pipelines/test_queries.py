from pathlib import Path

import pyarrow as pa
import pytest

from curation.rules import MEASURES
from curation.tables import VIDEOS
from pipelines.queries import as_text, run_query, subset_settings, table_names
from pipelines.workspace import Workspace
from tests.workspaces import SUBSETS, small_workspace

REFUSED = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "FROM '/etc/passwd'",
    "COPY (SELECT 1) TO '/tmp/moviola-escaped.csv'",
    "ATTACH '/tmp/moviola-escaped.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "INSERT INTO videos (video_id) VALUES ('x')",
]


@pytest.fixture(scope="module")
def workspace():
    return small_workspace()


def column(workspace, sql):
    return run_query(workspace, sql).column(0).to_pylist()


def test_tables_are_listed_upstream_first_and_samples_last(workspace):
    names = ["sources", "videos", "clips", "selection", "shards/256p", "shards/strict"]
    assert table_names(workspace) == names


def test_a_table_of_an_earlier_version_is_named_with_what_to_do(tmp_path):
    old = Workspace(tmp_path)
    old.table("videos").replace(VIDEOS.empty_table().drop_columns(["fps"]), {})
    with pytest.raises(ValueError, match=r"table videos has no column fps.*moviola curate"):
        run_query(old, "SELECT 1")


def test_a_rules_measure_is_a_column_of_the_view_clips(workspace):
    found = run_query(workspace, "SELECT * FROM clips")
    assert found.num_rows == 3
    assert set(MEASURES) | {"clip_id", "video_id", "camera_path"} <= set(found.column_names)


def test_each_subset_has_a_view_even_one_that_keeps_nothing(workspace):
    assert column(workspace, "SELECT count(*) FROM shards_256p") == [2]
    assert column(workspace, "SELECT count(*) FROM shards_strict") == [0]
    assert column(workspace, "SELECT count(*) FROM shards") == [2]


def test_frames_and_cuts_have_rows_of_their_own(workspace):
    frames = run_query(workspace, "SELECT clip_id, count(*), min(jpeg) FROM clip_frames GROUP BY 1")
    assert frames.num_rows == 3
    assert all(jpeg.as_py()[:2] == b"\xff\xd8" for jpeg in frames.column(2))
    assert column(workspace, "SELECT count(*) FROM cuts") == [0]


@pytest.mark.parametrize("statement", REFUSED)
def test_a_query_reaches_nothing_but_the_tables(workspace, statement):
    with pytest.raises(ValueError, match=r"(?i)error"):
        run_query(workspace, statement)
    assert not list(Path("/tmp").glob("moviola-escaped.*"))  # noqa: S108


def test_a_wrong_query_says_what_is_wrong(workspace):
    with pytest.raises(ValueError, match="motion_vmaf"):
        run_query(workspace, "SELECT motion_vmf FROM clips")


def test_what_is_no_workspace_is_refused_and_left_alone(tmp_path):
    with pytest.raises(ValueError, match="is no workspace"):
        run_query(Workspace(tmp_path / "nothing"), "SELECT 1")
    assert not (tmp_path / "nothing").exists()


def test_the_settings_of_each_subset_are_known_with_the_order_of_its_rules(workspace):
    found = subset_settings(workspace)
    assert found == SUBSETS
    assert [*found["256p"].rules] == [*SUBSETS["256p"].rules]


def test_answers_are_shown_as_a_table():
    assert "clip" in as_text(pa.table({"clip": ["a"]}))
    assert as_text(pa.table({})) == ""
