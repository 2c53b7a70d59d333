import shutil
from pathlib import Path

import obstore
import pyarrow.compute as pc
import pytest
from deltalake import write_deltalake

from pipelines.lease import Lease
from pipelines.verify import verify
from pipelines.workspace import Workspace
from tests.pipelines.test_workspace import bucket  # noqa: F401 - a fixture
from tests.workspaces import small_workspace


@pytest.fixture
def workspace(tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    return Workspace(tmp_path / "work")


def problems(workspace):
    return {
        (finding.check, finding.subject.split("/part-")[0])
        for finding in verify(workspace).findings
    }


def parts(workspace, table):
    return sorted(Path(workspace.table(table).uri).glob("*.parquet"))


def rewrite(workspace, table, change):
    """Replaces the rows of a table by what `change` makes of them, as one honest commit."""
    rows = change(workspace.table(table).read())
    write_deltalake(workspace.table(table).uri, rows, mode="overwrite")
    for path in parts(workspace, table):
        if path.name not in {p["path"] for p in adds(workspace, table)}:
            path.unlink()


def adds(workspace, table):
    found = workspace.table(table).delta().get_add_actions()
    return [{"path": path.as_py()} for path in found["path"]] if found.num_rows else []


def with_column(rows, name, values):
    return rows.set_column(rows.schema.get_field_index(name), rows.field(name), values)


def test_an_undamaged_workspace_is_sound(workspace):
    found = verify(workspace)
    assert found.findings == []
    assert found.is_sound
    assert (found.num_samples, len(found.steps)) == (2, 6)
    assert found.num_rows == 4 + 2 + 2 + 6 + 2


def test_a_missing_file_is_found(workspace):
    parts(workspace, "shards/256p")[0].unlink()
    assert problems(workspace) == {("file", "shards/256p")}


def test_a_file_of_another_size_is_found(workspace):
    with parts(workspace, "clips")[0].open("ab") as file:
        file.write(b"x")
    assert problems(workspace) == {("file", "clips")}


@pytest.mark.parametrize("table", ["clips", "shards/256p"])
@pytest.mark.parametrize("place", [0.0, 0.2, 0.5, 0.8])
def test_a_flipped_bit_in_a_file_is_found(workspace, table, place):
    path = parts(workspace, table)[0]
    content = bytearray(path.read_bytes())
    content[4 + int(place * (len(content) - 12))] ^= 0x20
    path.write_bytes(content)
    assert problems(workspace) == {("file", table)}


def test_a_stray_file_beside_the_samples_is_found_unless_a_run_may_be_writing_it(workspace):
    path = parts(workspace, "shards/256p")[0]
    shutil.copy(path, path.with_name("part-left-behind.parquet"))
    assert problems(workspace) == {("stray", "shards/256p")}
    with Lease(workspace, "run", "test"):
        assert problems(workspace) == set()


def test_a_doubled_row_is_found(workspace):
    rewrite(workspace, "shards/256p", lambda rows: rows.take([0, 1, 1]))
    assert ("unique", "shards/256p") in problems(workspace)
    assert ("adds_up", "shards/256p") in problems(workspace)


def test_a_lost_row_is_unfinished_work(workspace):
    rewrite(workspace, "shards/256p", lambda rows: rows.slice(0, 1))
    (finding,) = verify(workspace).findings
    assert (finding.check, finding.subject) == ("unfinished", "shards/256p")
    assert "1 of 2 clips" in finding.problem


def test_a_sample_whose_clip_is_not_selected_is_found(workspace):
    def reject(rows):
        kept = pc.equal(rows["status"], "ok")
        rows = with_column(rows, "status", pc.if_else(kept, "rejected", rows["status"]))
        return with_column(rows, "reason", pc.if_else(kept, "motion", rows["reason"]))

    rewrite(workspace, "selection", reject)
    assert problems(workspace) == {("unfinished", "shards")}


def test_a_verdict_without_its_clip_is_found(workspace):
    rewrite(workspace, "clips", lambda rows: rows.slice(0, 0))
    assert ("joined", "selection") in problems(workspace)


def test_a_status_without_a_reason_is_found(workspace):
    def forget(rows):
        return with_column(
            rows, "reason", pc.if_else(pc.is_valid(rows["reason"]), None, rows["reason"])
        )

    rewrite(workspace, "sources", forget)
    assert problems(workspace) == {("state", "sources")}


def test_rows_of_two_settings_in_one_table_are_found(workspace):
    def mix(rows):
        names = ["other", *rows["fingerprint"].to_pylist()[1:]]
        return with_column(rows, "fingerprint", [names])

    rewrite(workspace, "shards/256p", mix)
    assert problems(workspace) == {("unfinished", "shards/256p")}


def test_a_workspace_in_a_bucket_is_read_like_any_other(bucket):  # noqa: F811
    local = Path(small_workspace().uri)
    remote = Workspace(bucket)
    for path in local.rglob("*"):
        if path.is_file():
            obstore.put(remote.store(), str(path.relative_to(local)), path.read_bytes())
    found = verify(remote)
    assert (found.findings, found.num_samples) == ([], 2)
    part = remote.table("shards/256p").delta().file_uris()[0].rpartition("/")[2]
    obstore.put(remote.store("shards/256p"), part, b"PAR1")
    assert problems(remote) == {("file", "shards/256p")}
