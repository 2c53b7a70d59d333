"""Block lists are found by their paths, and what is none is named."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.tables import SCORES, SELECTION
from pipelines.blocklists import read_blocklists
from pipelines.workspace import Workspace


def scores(name: str, model: str) -> pa.Table:
    row = {"clip_id": name, "video_id": "v", "copy_embedding": [[1, 0]], "models": [model]}
    return pa.Table.from_pylist([row], schema=SCORES)


def earlier(folder: Path, name: str, model: str = "sscd:1") -> Workspace:
    workspace = Workspace(folder)
    kept = pa.Table.from_pylist(
        [{"subset": "256p", "clip_id": name, "status": "ok"}], schema=SELECTION
    )
    workspace.table("selection").replace(kept, {})
    workspace.table("scores").replace(scores(name, model), {})
    return workspace


def listed(path: Path, name: str) -> Path:
    pq.write_table(scores(name, "").select(["clip_id", "copy_embedding"]), path)
    return path


def test_a_list_is_a_workspace_or_a_file(tmp_path: Path) -> None:
    before = earlier(tmp_path / "before", "a")
    path = listed(tmp_path / "list %41.parquet", "b")
    found = read_blocklists([before.uri, str(path)], Workspace(tmp_path / "now"))
    assert (found.ids, found.videos, found.model) == (["a", "b"], ["v", None], "sscd:1")
    assert found.embeddings.tolist() == [[1, 0], [1, 0]]
    assert read_blocklists([], Workspace(tmp_path / "now")).ids == []


def test_what_is_no_list_is_named(tmp_path: Path) -> None:
    now = earlier(tmp_path / "now", "a")
    (tmp_path / "text.parquet").write_text("no Parquet")
    pq.write_table(pa.table({"clip_id": ["a"]}), tmp_path / "bare.parquet")
    Workspace(tmp_path / "half").table("selection").replace(SELECTION.empty_table(), {})
    for name, message in (
        ("nothing", "no workspace with a table selection"),
        ("half", "no workspace with a table scores"),
        ("nothing.parquet", "no such file"),
        ("text.parquet", "no Parquet file"),
        ("bare.parquet", "the column copy_embedding is missing"),
        ("now", "the workspace itself"),
    ):
        with pytest.raises(ValueError, match=f"block list .*{name}: .*{message}"):
            read_blocklists([str(tmp_path / name)], now)
    assert not (tmp_path / "nothing").exists()


def test_workspaces_scored_by_different_models_are_refused(tmp_path: Path) -> None:
    uris = [earlier(tmp_path / model, model, f"sscd:{model}").uri for model in ("1", "2")]
    with pytest.raises(ValueError, match="several models cannot be compared: sscd:1, sscd:2"):
        read_blocklists(uris, Workspace(tmp_path / "now"))
