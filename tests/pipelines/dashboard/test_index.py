"""The index: made of committed rows only, kept while they stay, and shut to everything else."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.speed.made_workspace import make_workspace
from curation.funnel import funnel
from pipelines.dashboard import index as index_module
from pipelines.dashboard.answers import answered
from pipelines.dashboard.board import Board, NotReady, QueryTimeout
from pipelines.dashboard.index import committed_versions, open_index
from pipelines.dashboard.index_parts import Part
from pipelines.dashboard.media import PosterQuery, clip_poster
from pipelines.queries import open_views, run_query
from pipelines.summary import steps_of
from pipelines.workspace import StorageError, Workspace
from tests.boards import body_of, made_board, made_workspace, odd_board, odd_workspace, ready
from tests.workspaces import add_scores, small_workspace


@pytest.fixture
def workspace(tmp_path):
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    return Workspace(tmp_path / "work")


def opened(workspace, folder, versions=None, told=lambda part: None):
    return open_index(workspace, versions or committed_versions(workspace), folder, told)


def parts(folder):
    """The files of an index with their inode, which another file has when a part was remade."""
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def by_name(found):
    return {name.partition("-")[0]: (name, inode) for name, inode in found.items()}


def counted(connection, sql):
    with connection.cursor() as cursor:
        return cursor.sql(sql).fetchall()[0]


@pytest.mark.parametrize(
    ("board", "workspace"), [(made_board, made_workspace), (odd_board, odd_workspace)]
)
def test_the_funnel_on_the_index_is_that_of_the_workspace(board, workspace):
    with board().index.connection.cursor() as cursor:
        found = funnel(cursor)
    expected = steps_of(workspace())
    assert [step.name for step in found] == [step.name for step in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.adds_up
        assert (mine.unit, mine.num_in, mine.num_out) == (
            theirs.unit,
            theirs.num_in,
            theirs.num_out,
        )
        for name in ("hours_in", "hours_out", "cpu_s"):
            assert getattr(mine, name) == pytest.approx(getattr(theirs, name), rel=1e-6), name
        pairs = [
            {
                (one.status, one.reason): (one.num, pytest.approx(one.hours, rel=1e-6))
                for one in step.outcomes
            }
            for step in (mine, theirs)
        ]
        assert pairs[0] == pairs[1]


def test_bytes_of_the_samples_are_those_of_their_videos(tmp_path):
    board = ready(small_workspace(), tmp_path)
    with open_views(small_workspace()) as views, board.index.connection.cursor() as cursor:
        found, expected = funnel(cursor, sized=True), funnel(views, sized=True)
    assert [step.size_bytes_out for step in found] == [step.size_bytes_out for step in expected]
    assert all(step.size_bytes_in > 0 for step in found)


def test_parts_are_kept_while_their_tables_stay(workspace, tmp_path):
    folder = tmp_path / "index"
    opened(workspace, folder).connection.close()
    before = parts(folder)
    told = []
    opened(workspace, folder, told=told.append).connection.close()
    assert told in ([], ["the funnel"])
    assert parts(folder) == before


def test_only_parts_of_changed_tables_are_remade_and_old_ones_are_swept(workspace, tmp_path):
    folder = tmp_path / "index"
    first = opened(workspace, folder)
    before = by_name(parts(folder))
    add_scores(workspace, aesthetic=6.5)
    second = opened(workspace, folder)
    after = by_name(parts(folder))
    assert len(after) == len(parts(folder)), "an old part was left"
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"scores", "looks", "clips", "decided", "funnel"}
    assert counted(second.connection, "SELECT min(aesthetic) FROM clips") == (6.5,)
    # Whoever has the old index open reads on.
    assert counted(first.connection, "SELECT count(aesthetic) FROM clips") == (0,)


def test_a_workspace_made_again_at_its_place_is_not_answered_from_the_old_index(tmp_path):
    place, folder = tmp_path / "work", tmp_path / "index"
    first = make_workspace(place, 60, seed=1, pictures=False, camera_hz=0)
    versions = committed_versions(first)
    opened(first, folder).connection.close()
    shutil.rmtree(place)
    second = make_workspace(place, 70, seed=2, pictures=False, camera_hz=0)
    again = committed_versions(second)
    assert {name: one.version for name, one in versions.items()} == {
        name: one.version for name, one in again.items()
    }
    index = opened(second, folder)
    assert counted(index.connection, "SELECT count(*) FROM clips") == (70,)
    expected = run_query(second, "SELECT min(clip_id) AS id FROM clips")["id"].to_pylist()
    assert [*counted(index.connection, "SELECT min(clip_id) FROM clips")] == expected


KILLED = """
import sys, time
from pathlib import Path
from pipelines.dashboard import index, index_parts
from pipelines.dashboard.index import committed_versions, open_index
from pipelines.workspace import Workspace

fill = index_parts._fill_decided

def slowly(connection, source):
    fill(connection, source)
    print("filled", flush=True)
    time.sleep(60)

index_parts._fill_decided = slowly
workspace = Workspace(sys.argv[1])
open_index(workspace, committed_versions(workspace), Path(sys.argv[2]))
"""


def test_a_killed_build_leaves_no_part_and_the_next_one_cleans_up(workspace, tmp_path):
    folder = tmp_path / "index"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), workspace.uri, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "filled\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert "decided" not in by_name({name: 0 for name in parts(folder) if name.endswith(".duckdb")})
    index = opened(workspace, folder)
    assert counted(index.connection, "SELECT count(*) FROM decided_0")[0] > 0
    left = [*folder.glob("*.part*")]
    assert left, "another process might be writing them still"
    assert any(file for one in left for file in one.iterdir())
    for path in [*(file for one in left for file in one.iterdir()), *left]:
        os.utime(path, (0, 0))
    opened(workspace, folder).connection.close()
    assert list(folder.glob("*.part*")) == []


def test_what_earlier_versions_left_is_removed_once_it_is_old(workspace, tmp_path):
    folder = tmp_path / "index"
    (folder / "clips-1-ab.cd.part.tmp").mkdir(parents=True)
    names = ["clips-1-ab.cd.part", "clips-1-ab.cd.part.wal", "clips-1-ab.cd.part.tmp/spilled"]
    for name in names:
        (folder / name).touch()
    opened(workspace, folder).connection.close()
    assert all((folder / name).exists() for name in names)
    for path in [*(folder / name for name in names), folder / "clips-1-ab.cd.part.tmp"]:
        os.utime(path, (0, 0))
    opened(workspace, folder).connection.close()
    assert [*folder.glob("*.part*")] == []


def test_a_disk_that_is_full_is_said_and_nothing_left_on_it(workspace, tmp_path, monkeypatch):
    def fill(connection, _):
        connection.execute("CREATE TABLE x AS SELECT 1")
        assert [*tmp_path.rglob("*.wal")]
        raise duckdb.TransactionException('Could not write file "x": No space left on device')

    part = Part("part", frozenset(), fill)
    monkeypatch.setattr(index_module.index_parts, "parts", lambda committed: [part])
    with pytest.raises(StorageError, match=r"no space left for writing .*bytes are free"):
        opened(workspace, tmp_path / "index")
    assert [*(tmp_path / "index").iterdir()] == []


def test_a_commit_meanwhile_is_seen_by_the_next_look_only(workspace, tmp_path):
    folder = tmp_path / "index"
    versions = committed_versions(workspace)
    add_scores(workspace, aesthetic=6.5)
    index = opened(workspace, folder, versions)
    assert index.committed == versions
    assert counted(index.connection, "SELECT count(aesthetic) FROM clips") == (0,)
    later = opened(workspace, folder)
    assert counted(later.connection, "SELECT count(aesthetic) FROM clips") == (3,)


def test_an_index_while_a_run_commits_always_adds_up(workspace, tmp_path):
    """Commits go on while the index is renewed again and again; every answer is one of a commit."""
    board = ready(workspace, tmp_path)
    done = threading.Event()
    failures = []

    def commit():
        try:
            for score in range(8):
                add_scores(workspace, aesthetic=float(score))
        except Exception as error:  # noqa: BLE001 - told by the test
            failures.append(error)
        done.set()

    thread = threading.Thread(target=commit)
    thread.start()
    seen = set()
    while not done.is_set():
        board.renew()
        rows = board.ask("SELECT DISTINCT aesthetic FROM clips")
        assert len(rows) == 1
        seen.add(rows[0]["aesthetic"])
        with board.index.connection.cursor() as cursor:
            assert all(step.adds_up for step in funnel(cursor))
    thread.join()
    board.renew()
    assert not failures
    assert board.ask("SELECT DISTINCT aesthetic FROM clips") == [{"aesthetic": 7.0}]
    assert seen <= {None, *map(float, range(8))}


def test_questions_asked_during_a_renewal_are_answered_from_one_index(workspace, tmp_path):
    board = ready(workspace, tmp_path)
    index = board.index
    add_scores(workspace, aesthetic=5.0)
    board.renew()
    assert board.ask("SELECT count(aesthetic) AS n FROM clips", index=index) == [{"n": 0}]
    assert board.ask("SELECT count(aesthetic) AS n FROM clips") == [{"n": 3}]


SHUT = {
    "write": "CREATE TABLE part_clips.t AS SELECT 1",
    "insert": "INSERT INTO subsets VALUES ('x', 9, NULL)",
    "change": "UPDATE part_clips.clips SET clip_id = 'x'",
    "remove": "DROP TABLE part_clips.clips",
    "attach": "ATTACH '{folder}/other.duckdb' AS other",
    "copy": "COPY clips TO '{folder}/out.csv'",
    "export": "EXPORT DATABASE '{folder}/out'",
    "read_csv": "FROM read_csv('/etc/passwd')",
    "read_text": "FROM read_text('/etc/passwd')",
    "a path": "FROM '/etc/passwd'",
    "glob": "FROM glob('/etc/*')",
    "install": "INSTALL httpfs",
    "load": "LOAD httpfs",
    "network": "FROM read_parquet('https://example.org/x.parquet')",
    "unlock": "SET lock_configuration = false",
    "open again": "SET enable_external_access = true",
    "memory": "SET memory_limit = '99GB'",
}


@pytest.mark.parametrize("sql", [pytest.param(sql, id=name) for name, sql in SHUT.items()])
def test_the_index_is_shut(sql, tmp_path):
    index = made_board().index
    before = parts(made_board().folder)
    with index.connection.cursor() as cursor, pytest.raises(duckdb.Error):
        cursor.execute(sql.format(folder=tmp_path)).fetchall()
    assert list(tmp_path.iterdir()) == []
    assert parts(made_board().folder) == before
    assert counted(index.connection, "SELECT count(*) FROM clips") == (2_000,)


SLOW = "SELECT sum(a.range * b.range) AS x FROM range(1000000) AS a, range(1000000) AS b"


def test_a_query_that_takes_too_long_is_stopped():
    began = time.monotonic()
    with pytest.raises(QueryTimeout, match=r"more than 0\.2 s"):
        made_board().ask(SLOW, limit_s=0.2)
    assert time.monotonic() - began < 5
    assert made_board().ask("SELECT 1 AS one") == [{"one": 1}]


def test_values_are_bound_never_read_as_sql():
    text = "x'; DROP TABLE clips; --"
    assert made_board().ask("SELECT $text AS said", {"text": text}) == [{"said": text}]


def test_pictures_videos_and_embeddings_stay_in_the_workspace(tmp_path):
    board = ready(small_workspace(), tmp_path)
    columns = board.ask("SELECT table_name, column_name, data_type FROM duckdb_columns()")
    heavy = {
        "video",
        "frames",
        "camera_path",
        "copy_embedding",
        "concept_embedding",
        "centroid",
        "latent",
    }
    found = [row for row in columns if row["column_name"] in heavy]
    assert found == []
    assert [
        row for row in columns if "BLOB" in row["data_type"] and "part_" in row["table_name"]
    ] == []


def test_places_name_the_row_of_every_clip_and_sample(tmp_path):
    workspace = small_workspace()
    board = ready(workspace, tmp_path)
    found = board.ask("FROM places WHERE table_name = 'clips'")
    clips = {}
    for row in found:
        file = pq.read_table(f"{workspace.table('clips').uri}/{row['file']}", columns=["clips"])
        clips[row["key"]] = [clip["clip_id"] for clip in file["clips"][row["row"]].as_py()]
    assert len(clips) == run_query(workspace, "FROM clips").num_rows == 3
    assert all(key in there for key, there in clips.items())
    samples = board.ask("FROM places WHERE table_name = 'shards/256p'")
    assert len(samples) == 2
    for row in samples:
        file = pq.read_table(f"{workspace.table('shards/256p').uri}/{row['file']}")
        assert file["clip_id"][row["row"]].as_py() == row["key"]


def test_what_is_no_workspace_is_said(tmp_path):
    board = Board(Workspace(tmp_path / "nothing"), cache=tmp_path / "cache")
    with pytest.raises(ValueError, match="is no workspace"):
        board.renew()
    assert not board.is_ready
    with pytest.raises(NotReady):
        board.ask("SELECT 1")


def test_a_folder_that_cannot_be_written_is_said(workspace, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    with pytest.raises((OSError, RuntimeError), match="blocked"):
        opened(workspace, blocked / "index")


def test_a_board_notices_a_commit_by_itself(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.dashboard.board.LOOK_S", 0.05)
    monkeypatch.setattr("pipelines.dashboard.board.MOST_RENEWAL_SHARE", 1.0)
    board = Board(workspace, cache=tmp_path)
    with board:
        wait(lambda: board.is_ready)
        add_scores(workspace, aesthetic=4.0)
        wait(lambda: board.ask("SELECT count(aesthetic) AS n FROM clips") == [{"n": 3}])


def test_a_workspace_that_comes_later_is_shown_once_it_is_there(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.dashboard.board.LOOK_S", 0.05)
    monkeypatch.setattr("pipelines.dashboard.board.MOST_RENEWAL_SHARE", 1.0)
    place = tmp_path / "later"
    board = Board(Workspace(place), cache=tmp_path / "cache")
    with board:
        wait(lambda: "is no workspace" in board.problem)
        shutil.copytree(workspace.uri, place)
        wait(lambda: board.is_ready)
        wait(lambda: not board.problem)


def test_leaving_a_board_stops_the_index_that_is_being_made(
    workspace, tmp_path, monkeypatch, caplog
):
    part = Part("slow", frozenset(), lambda connection, _: connection.execute(SLOW).fetchall())
    monkeypatch.setattr(index_module.index_parts, "parts", lambda committed: [part])
    board = Board(workspace, cache=tmp_path / "cache")
    with board:
        wait(lambda: board.making == "reading slow")
        time.sleep(0.2)
        assert board.waits_since is not None
        began = time.monotonic()
    assert time.monotonic() - began < 1.5
    assert caplog.messages == []
    assert list(board.folder.iterdir()) == []


def test_a_fault_that_lasts_is_logged_once_and_looked_at_less_and_less(
    workspace, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr("pipelines.dashboard.board.LOOK_S", 0.02)
    looks = []

    def fails():
        looks.append(time.monotonic())
        raise StorageError(f"clips-4-{os.urandom(8).hex()}.part: no answer in {len(looks)}.69ms")

    board = Board(workspace, cache=tmp_path)
    monkeypatch.setattr(board, "renew", fails)
    with board:
        wait(lambda: len(looks) >= 6)
    pauses = [after - before for before, after in itertools.pairwise(looks)]
    assert pauses[-1] > 5 * pauses[0]
    assert len(caplog.messages) == 1
    assert "no answer" in board.problem


def test_a_cache_folder_that_duckdb_would_misread_is_refused(workspace, tmp_path):
    with pytest.raises(ValueError, match=r"cannot have '\?' in its path.*MOVIOLA_CACHE"):
        Board(workspace, cache=tmp_path / "really?")
    assert list(tmp_path.iterdir()) == [tmp_path / "work"]


def cut(workspace, table):
    """Cuts a file of a table short; returns its name."""
    file = sorted(pa.table(workspace.table(table).delta().get_add_actions())["path"].to_pylist())[0]
    os.truncate(f"{workspace.table(table).uri}/{file}", 500)
    return file


@pytest.mark.parametrize("table", ["sources", "videos", "clips", "selection", "scores"])
def test_a_file_that_was_cut_short_is_named(table, workspace, tmp_path):
    add_scores(workspace, aesthetic=1.0)
    file = cut(workspace, table)
    board = Board(workspace, cache=tmp_path / "cache")
    with pytest.raises(StorageError) as caught:
        board.renew()
    assert f"{workspace.uri}/{table}" in str(caught.value)
    assert file in str(caught.value)
    assert f"`moviola verify {workspace.uri}` says more" in str(caught.value)


def test_a_file_that_was_cut_short_under_a_running_dashboard_is_named(workspace, tmp_path):
    board = ready(workspace, tmp_path / "cache")
    file = cut(workspace, "clips")
    sql = "SELECT key FROM places WHERE table_name = 'clips' AND file = $file"
    [clip, *_] = board.ask(sql, {"file": file})
    answer = answered(lambda: clip_poster(board, PosterQuery(clip_id=clip["key"])))
    assert answer.status_code == 502
    assert f"{workspace.uri}/clips/{file} cannot be read" in body_of(answer).decode()


def wait(is_so, limit_s=15.0):
    ends = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_the_folder_of_an_index_is_that_of_its_workspace(tmp_path):
    one, other = (index_module.index_folder(tmp_path, Workspace(tmp_path / name)) for name in "ab")
    assert one != other
    assert one.parent == other.parent == tmp_path / "dashboard"
