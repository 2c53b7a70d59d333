"""Workspaces: what readers see, derived tables, and object stores."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import boto3
import duckdb
import obstore
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from curation import tables
from pipelines.engine import Run
from pipelines.lease import held_by
from pipelines.recipe_history import read_recipe
from pipelines.workspace import FencedError, StorageError, Workspace
from tests import toys

METADATA = {"run": "test"}


def selection(subset: str, *clips: str) -> pa.Table:
    rows = [{"subset": subset, "clip_id": clip, "status": "ok"} for clip in clips]
    return pa.Table.from_pylist(rows, schema=tables.SELECTION)


def test_a_derived_table_is_replaced_one_subset_at_a_time(tmp_path: Path) -> None:
    table = Workspace(tmp_path).table("selection")
    assert not table.exists()
    for subset, clips in (("a", ["1", "2"]), ("b", ["1"]), ("a", ["3"])):
        assert table.replace(selection(subset, *clips), METADATA, {"subset": subset})
    assert table.read(["subset", "clip_id"]).sort_by("subset").to_pylist() == [
        {"subset": "a", "clip_id": "3"},
        {"subset": "b", "clip_id": "1"},
    ]


def test_replacing_a_table_by_itself_commits_nothing(tmp_path: Path) -> None:
    table = Workspace(tmp_path).table("selection")
    assert table.replace(selection("a", "1", "2"), METADATA, {"subset": "a"})
    assert table.replace(selection("b", "1"), METADATA, {"subset": "b"})
    assert not table.replace(selection("a", "1", "2"), METADATA, {"subset": "a"})
    assert table.delta().version() == 1


def test_an_older_version_can_still_be_read_after_a_replacement(tmp_path: Path) -> None:
    table = Workspace(tmp_path).table("videos")
    schema = pa.schema([("video_id", pa.string())])
    table.replace(pa.table({"video_id": ["a"]}, schema=schema), METADATA)
    table.replace(pa.table({"video_id": ["b"]}, schema=schema), METADATA)
    assert table.dataset(version=0).to_table().to_pylist() == [{"video_id": "a"}]
    assert table.read().to_pylist() == [{"video_id": "b"}]


def test_a_replaced_table_may_change_its_columns(tmp_path: Path) -> None:
    table = Workspace(tmp_path).table("videos")
    table.replace(pa.table({"video_id": ["a"]}), METADATA)
    table.replace(pa.table({"video_id": ["a"], "fps": [25.0]}), METADATA)
    assert table.read().to_pylist() == [{"video_id": "a", "fps": 25.0}]


def test_fields_keep_their_documentation(tmp_path: Path) -> None:
    table = Workspace(tmp_path).table("selection")
    table.replace(selection("a", "1"), METADATA)
    for schema in (table.read().schema, table.dataset().schema):
        for field in tables.SELECTION:
            assert schema.field(field.name).metadata[b"doc"] == field.metadata[b"doc"]


def test_a_table_without_rows_keeps_its_schema(tmp_path: Path) -> None:
    table = Workspace(tmp_path).table("selection")
    table.replace(selection("a"), METADATA)
    assert table.read().num_rows == 0
    assert table.read().schema.names == tables.SELECTION.names


def test_duckdb_reads_the_dataset(tmp_path: Path) -> None:
    table = Workspace(tmp_path / "ein Ordner mit Ümlaut").table("selection")
    table.replace(selection("a", "1", "2"), METADATA)
    rows = table.dataset()
    assert duckdb.sql("SELECT count(*) FROM rows WHERE clip_id = '2'").fetchall() == [(1,)]
    assert rows.count_rows() == 2


@pytest.mark.parametrize("name", ["../clips", "a/b/c", "", "_delta_log", "shards/", "/clips", "A"])
def test_what_is_no_table_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no table name"):
        Workspace(tmp_path).table(name)


def test_a_path_that_delta_would_misread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'%'"):
        Workspace(tmp_path / "a%20b")
    for char in "#?\\[]^|\n\x1b\x7f\udcff":
        for place in (tmp_path / f"a{char}b" / "c", f"s3://bucket/a{char}b/c"):
            with pytest.raises(ValueError, match=re.escape(f"{char!r} in its path")):
                Workspace(place)


@pytest.mark.parametrize("name", ["a b", "a&b=c", "é", "a+b", "a:b", "a'b", 'a"b', "a*b", "{a}~$"])
def test_other_paths_keep_their_tables_and_their_history(name: str, tmp_path: Path) -> None:
    table = Workspace(tmp_path / name).table("selection")
    assert not table.exists()
    rows = pa.table({"x": [1]})
    assert table.replace(rows, {"run": "one"})
    assert table.exists()
    assert table.read().equals(rows)
    assert table.delta().history(1)[0]["run"] == "one"


def test_readers_make_no_folder(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work")
    store = workspace.reading_store("clips")
    assert [*obstore.list(store)] == []
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "x")
    assert not workspace.table("clips").exists()
    assert held_by(workspace) is None
    assert read_recipe(workspace, "0123456789ab") == {}
    assert not (tmp_path / "work").exists()
    workspace.store("clips")
    assert (tmp_path / "work" / "clips").is_dir()
    assert not workspace.table("clips").exists()


def test_a_file_that_was_cut_short_is_the_fault_of_the_storage(tmp_path: Path) -> None:
    table = Workspace(tmp_path).table("clips")
    table.replace(pa.table({"x": [1]}), {})
    [file] = Path(table.uri).glob("*.parquet")
    os.truncate(file, file.stat().st_size - 10)
    with pytest.raises(StorageError, match=rf"clips cannot be read.*{file.name}"):
        table.read()


def test_a_workspace_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="file"):
        Workspace(tmp_path / "file").store()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket on an S3 server of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # A process of its own: deltalake keeps Python's lock while it waits for an answer.
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    name = f"bucket-{os.urandom(4).hex()}"
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        assert server.poll() is None
        time.sleep(0.1)
    boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).create_bucket(Bucket=name)
    yield f"s3://{name}/a/workspace"
    server.kill()
    server.wait()


def test_a_stage_runs_resumes_and_withdraws_on_s3(bucket: str) -> None:
    workspace = Workspace(bucket)
    table = workspace.table("shards/256p")
    common = [bucket, "--table", "shards/256p"]
    assert toys.main([*common, "--rows", "10", "--accident", "000004=fail"]) == 0
    assert toys.main([*common, "--rows", "12"]) == 0
    first = table.read()
    assert first.num_rows == 12
    assert pc.sum(pc.equal(first["status"], "failed")).as_py() == 1
    assert toys.main([*common, "--rows", "12", "--add", "1"]) == 0
    assert table.read(["square"], pc.field("number") == "000002").to_pylist() == [{"square": 5}]
    there = {entry["path"] for page in workspace.store(table.name).list() for entry in page}
    parts = {path for path in there if path.endswith(".parquet")}
    assert parts == set(table.delta().get_add_actions().column("path").to_pylist())
    assert table.replace(first, METADATA)
    assert table.read().num_rows == 12


def test_a_second_driver_on_s3_is_fenced_off(bucket: str) -> None:
    workspace = Workspace(bucket)
    with Run(workspace, command="the first"):
        assert toys.main([bucket]) == 4
        with pytest.raises(FencedError, match="command: the first"), Run(workspace):
            pass
    assert toys.main([bucket]) == 0
