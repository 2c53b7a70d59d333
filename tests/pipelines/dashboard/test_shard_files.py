import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation import tables
from pipelines.dashboard.board import Board
from pipelines.dashboard.shard_files import ShardQuery, shards
from pipelines.workspace import Workspace
from tests import media
from tests.workspaces import small_workspace

TABLE = "shards/256p"


@pytest.fixture(scope="module")
def board():
    """A board of the small workspace, its index made."""
    made = Board(small_workspace(), cache=media.folder() / "shards-cache")
    made.renew()
    return made


def run_that_read(folder, workspace, table, version):
    """A folder of a training run whose only stage says that it has read a table."""
    (folder / "t2v").mkdir(parents=True)
    (folder / "recipe.json").write_text(json.dumps({"stages": {"t2v": {"steps": 5}}}))
    said = {"workspace": workspace, "versions": {table: version, "selection": 1}}
    (folder / "t2v" / "data.json").write_text(json.dumps(said | {"num_samples": 2}))


def test_files_and_buckets_are_those_of_the_rows(board):
    told = shards(board, ShardQuery(subset="256p"))
    folder = Path(board.workspace.uri) / TABLE
    assert told["num_files"] == len(told["files"]) == len(list(folder.rglob("part-*.parquet")))
    for one in told["files"]:
        path = folder / one["file"]
        rows = pq.read_table(path).to_pylist()
        done = [row for row in rows if row["status"] == "ok"]
        assert (one["size_bytes"], one["rows"]) == (path.stat().st_size, len(rows))
        assert one["samples"] == len(done)
        assert one["hours"] == pytest.approx(sum(r["end_s"] - r["start_s"] for r in done) / 3600)
        assert one["buckets"] == sorted({row["bucket"] for row in done})
    rows = board.workspace.table(TABLE).read().to_pylist()
    for bucket in told["buckets"]:
        of_it = [row for row in rows if row["bucket"] == bucket["bucket"]]
        assert bucket["num"] == len(of_it)
        assert bucket["size_bytes"] == sum(len(row["video"]) for row in of_it)
        assert bucket["frames"] == sum(row["num_frames"] for row in of_it)
        assert {(r["width"], r["height"]) for r in of_it} == {(bucket["width"], bucket["height"])}
    assert sum(bucket["num"] for bucket in told["buckets"]) == told["totals"]["samples"] == 2
    assert told["totals"]["num_hashed"] == 2
    assert told["totals"]["video_bytes"] == sum(len(row["video"]) for row in rows)
    assert told["latents"] is None


def test_every_column_is_told_with_what_it_holds(board):
    schema = shards(board, ShardQuery(subset="256p"))["schema"]
    assert [one["name"] for one in schema] == [*tables.SHARD.names, "fingerprint"]
    assert all(one["doc"] for one in schema)


def test_a_subset_that_keeps_nothing_has_no_files(board):
    told = shards(board, ShardQuery(subset="strict"))
    assert (told["files"], told["buckets"], told["totals"]["samples"]) == ([], [], 0)


def test_samples_of_clips_that_are_no_longer_kept_are_told(tmp_path, board):
    shutil.copytree(small_workspace().uri, tmp_path / "w")
    table = Workspace(tmp_path / "w").table("selection")
    rows = table.read().to_pylist()
    gone = next(row for row in rows if (row["subset"], row["status"]) == ("256p", "ok"))
    gone |= {"status": "rejected", "reason": "motion"}
    table.replace(pa.Table.from_pylist(rows, schema=tables.SELECTION), {"run": "r"})
    again = Board(table.workspace, cache=tmp_path / "cache")
    again.renew()
    told = shards(again, ShardQuery(subset="256p"))
    assert (told["totals"]["samples"], told["stale"]) == (2, 1)
    assert shards(board, ShardQuery(subset="256p"))["stale"] == 0


def test_an_unknown_subset_is_refused(board):
    with pytest.raises(ValueError, match="no subset is called"):
        shards(board, ShardQuery(subset="256p' --"))


def test_training_runs_say_whether_what_they_read_has_changed(tmp_path):
    shutil.copytree(small_workspace().uri, tmp_path / "w")
    workspace = Workspace(tmp_path / "w")
    version = workspace.table(TABLE).delta().version()
    run_that_read(tmp_path / "runs" / "now", workspace.uri, TABLE, version)
    run_that_read(tmp_path / "runs" / "early", workspace.uri, TABLE, 0)
    run_that_read(tmp_path / "runs" / "elsewhere", "/another", TABLE, version)
    run_that_read(tmp_path / "runs" / "other", workspace.uri, "shards/strict", 0)
    broken = tmp_path / "runs" / "broken"
    run_that_read(broken, workspace.uri, TABLE, "three")
    (tmp_path / "runs" / "half" / "t2v").mkdir(parents=True)
    (tmp_path / "runs" / "half" / "recipe.json").write_text('{"stages": {')
    (tmp_path / "runs" / "half" / "t2v" / "data.json").write_text('{"versions": [1')
    board = Board(workspace, [tmp_path / "runs"], cache=tmp_path / "cache")
    board.renew()
    told = {one["name"]: one for one in shards(board, ShardQuery(subset="256p"))["readers"]}
    assert {name: one["num_changes"] for name, one in told.items()} == {
        "runs/now": 0,
        "runs/early": 1,
        "runs/elsewhere": None,
        "runs/broken": None,
    }
    assert not told["runs/elsewhere"]["is_here"]
    assert told["runs/now"]["num_samples"] == 2


def test_latents_tell_their_shapes_and_which_samples_are_gone(tmp_path):
    shutil.copytree(small_workspace().uri, tmp_path / "w")
    workspace = Workspace(tmp_path / "w")
    samples = workspace.table(TABLE).read(["clip_id", "video_id", "video_sha256"]).to_pylist()
    samples[1]["video_sha256"] = "of an earlier sample"
    shape = {"latent_shape": [16, 2, 4, 6], "num_frames": 16, "width": 96, "height": 64, "fps": 8}
    rows = [
        row | shape | {"status": "ok", "encoder_hash": "e", "subset": "256p"} for row in samples
    ]
    made = pa.Table.from_pylist(rows, schema=pa.schema([*tables.LATENTS, tables.FINGERPRINT]))
    workspace.table("latents/256p").replace(made, {"run": "r"})
    board = Board(workspace, cache=tmp_path / "cache")
    board.renew()
    told = shards(board, ShardQuery(subset="256p"))["latents"]
    assert (told["samples"], told["encoders"], told["stale"]) == (2, ["e"], 1)
    [shapes] = told["shapes"]
    assert (shapes["shape"], shapes["num"], shapes["with_image"]) == ([16, 2, 4, 6], 2, 0)
    files = [*(tmp_path / "w" / "latents" / "256p").glob("*.parquet")]
    assert told["size_bytes"] == sum(file.stat().st_size for file in files)
