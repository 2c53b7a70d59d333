"""The last screen says what models found, and nothing where none has looked."""

import shutil

import pyarrow as pa
import pytest

from curation import tables
from pipelines.findings import MOST_CONCEPTS, findings
from pipelines.queries import run_query
from pipelines.workspace import Workspace
from tests.workspaces import add_scores, small_workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace(shutil.copytree(small_workspace().uri, tmp_path / "work"))


def test_without_models_there_is_nothing_to_say(workspace):
    assert findings(workspace) == []


def test_scores_are_told_from_least_to_most_and_what_is_missing_is_not(workspace):
    add_scores(workspace, text_score=0.25, nsfw=float("nan"))
    _, head, line = findings(workspace)
    assert head.split() == ["scores", "clips", "least", "median", "most"]
    assert line.split() == ["text_score", "3", "0.250", "0.250", "0.250"]


def test_duplicates_are_named_with_what_was_kept(workspace):
    rows = workspace.table("selection").read().to_pylist()
    rows[0] |= {"status": "rejected", "reason": "duplicate", "duplicate_of": "b", "cosine": 0.91}
    workspace.table("selection").replace(pa.Table.from_pylist(rows, tables.SELECTION), {})
    [line] = findings(workspace)[2:]
    video = run_query(workspace, "SELECT * FROM videos").to_pylist()
    [file] = [v["uris"][0] for v in video if v["video_id"] == rows[0]["video_id"]]
    name = file.rpartition("/")[2]
    assert line.split(maxsplit=1) == [
        rows[0]["subset"], f"{rows[0]['clip_id']} of {name} and b, cosine 0.910",
    ]  # fmt: skip


def test_concepts_are_told_the_largest_first_and_the_rest_is_counted(workspace):
    number = MOST_CONCEPTS + 2
    rows = [
        {
            "concept_id": index, "name": f"thing {index}", "fingerprint": "f",
            "subsets": [{"subset": "256p", "size": index + 1, "resampled_size": 1.5}],
        }
        for index in range(number)
    ]  # fmt: skip
    workspace.table("concepts").replace(pa.Table.from_pylist(rows, tables.CONCEPTS), {})
    _, head, first, *others, last = findings(workspace)
    assert head.split() == ["concepts", "clips", "weight"]
    assert first.split(maxsplit=3) == ["256p", str(number), "1.50", f"thing {number - 1}"]
    assert len(others) == MOST_CONCEPTS - 1
    assert last.split() == ["and", "2", "more", "in", "table", "concepts"]
