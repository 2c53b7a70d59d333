import json
import os
import shutil
import socket
import time
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pytest

from curation.selection import SubsetSettings
from pipelines.dashboard.board import Board
from pipelines.dashboard.commits import Commit, Commits, read_commit, withdrawn_rows
from pipelines.dashboard.costs import CostQuery, costs
from pipelines.dashboard.paces import LEAST_S, Pace, line_of, paces, recent_rate, thinned
from pipelines.dashboard.stage_progress import progress
from pipelines.dashboard.throughput import RunQuery, throughput
from pipelines.lease import Lease
from pipelines.queries import run_query
from pipelines.workspace import Workspace
from tests import media
from tests.workspaces import small_workspace


@pytest.fixture(scope="module")
def board():
    """A board of the small workspace, its index made."""
    made = Board(small_workspace(), cache=media.folder() / "throughput-cache")
    made.renew()
    return made


@pytest.fixture
def copied(tmp_path):
    """A board of a copy that a test may change."""
    shutil.copytree(small_workspace().uri, tmp_path / "w")
    made = Board(Workspace(tmp_path / "w"), cache=tmp_path / "cache")
    made.renew()
    return made


def commit(table="clips", version=0, time_ms=0, run="r", added=None, removed=()):
    said = {"stage": table, "command": "c", "host": "h", "code": "1", "recipe": "x"}
    return Commit(table, version, time_ms, run, **said, added=added or {}, removed=removed)


def test_commits_tell_the_rows_that_the_tables_have(board):
    commits = Commits(board.workspace).of(board.index.committed)
    there = defaultdict(set)
    rows = {}
    for one in commits:
        there[one.table] |= set(one.added)
        there[one.table] -= set(one.removed)
        rows.update({(one.table, path): num for path, num in one.added.items()})
    assert there.keys() == board.index.committed.keys()
    for name, files in there.items():
        table = board.workspace.table(name)
        assert files == set(pa.table(table.delta().get_add_actions())["path"].to_pylist())
        assert sum(rows[name, path] for path in files) == table.read().num_rows, name
    assert [one.time_ms for one in commits] == sorted(one.time_ms for one in commits)
    assert {one.command for one in commits} == {"test"}


def test_each_entry_is_read_once_and_what_is_gone_is_left_out(copied):
    log = Path(copied.workspace.uri) / "clips" / "_delta_log"
    commits = Commits(copied.workspace)
    committed = {"clips": copied.index.committed["clips"]}
    first = commits.of(committed)
    for entry in log.glob("*.json"):
        entry.unlink()
    assert commits.of(committed) == first
    assert Commits(copied.workspace).of(committed) == []


def test_an_entry_without_statistics_or_metadata():
    one = read_commit("clips", 3, [{"add": {"path": "a"}}, {"remove": {"path": "b"}}, {"txn": {}}])
    assert (one.num_added, one.removed, one.run, one.stage, one.time_ms) == (0, ("b",), "", "", 0)


def test_withdrawn_rows_are_those_that_were_added_before():
    commits = [
        commit(version=1, added={"a": 3, "b": 4}),
        commit("scores", 1, added={"a": 50}),
        commit(version=2, removed=("a", "unknown"), added={"a2": 3}),
        commit(version=3, removed=("a2",)),
    ]
    assert withdrawn_rows(commits) == {("clips", 2): 3, ("clips", 3): 3}


def test_paces_are_counted_by_run_and_table():
    commits = [
        commit(version=0, time_ms=1_000),
        commit(version=1, time_ms=5_000, added={"a": 10}),
        commit("scores", 0, time_ms=6_000),
        commit(version=2, time_ms=11_000, added={"b": 20}),
        # Of the 10 rows of a file one stays, which is written again.
        commit(version=3, time_ms=50_000, run="other", added={"c": 1}, removed=("a",)),
        commit(version=4, time_ms=60_000, run=""),
    ]
    found = paces(commits, withdrawn_rows(commits))
    assert list(found) == ["r", "other"]
    clips, scores = found["r"]
    assert (clips.rows, clips.wall_s, clips.rows_per_s) == (30, 10.0, 3.0)
    assert (scores.rows, scores.rows_per_s) == (0, None)
    assert line_of(clips) == [(1_000, 0), (5_000, 10), (11_000, 30)]
    [again] = found["other"]
    assert (again.rows, again.withdrawn, again.rows_per_s) == (0, 9, None)


def test_the_recent_rate_is_of_the_last_minutes_and_falls_when_nothing_comes():
    pace = Pace("clips", True, 0, 0)
    pace.steps = [(second * 1000, 10) for second in range(1, 101)]
    assert recent_rate(pace, 100_000, window_s=300) == pytest.approx(10.0)
    pace.steps += [(second * 1000, 1) for second in range(101, 601)]
    assert recent_rate(pace, 600_000, window_s=300) == pytest.approx(1.0)
    assert recent_rate(pace, 750_000, window_s=300) == pytest.approx(0.5)
    assert recent_rate(pace, 3_000_000, window_s=300) == 0
    assert recent_rate(pace, round(1000 * LEAST_S) - 1) is None


def test_a_line_of_many_commits_keeps_its_ends():
    points = [(place, place * 2) for place in range(10_001)]
    few = thinned(points, 400)
    assert (len(few), few[0], few[-1]) == (400, points[0], points[-1])
    assert set(few) <= set(points)
    assert thinned(points[:400], 400) == points[:400]


def test_the_panel_tells_the_one_run_of_the_workspace(board):
    told = throughput(board, RunQuery())
    [run] = told["runs"]
    stages = {stage["table"]: stage for stage in told["chosen"]["stages"]}
    assert (run["state"], run["run"], told["live"]) == ("ended", told["chosen"]["run"], None)
    assert run["rows"] == sum(stage["rows"] for stage in stages.values())
    assert stages["sources"]["rows"] == 4
    assert stages["shards/256p"]["line"][-1][1] == 2
    assert not stages["selection"]["is_stage"]
    assert throughput(board, RunQuery(run="unknown"))["chosen"]["run"] == run["run"]


def test_a_run_at_work_is_told_with_what_is_left(copied):
    with Lease(copied.workspace, "20260101T000000Z-abcdef", "moviola curate") as lease:
        live = throughput(copied, RunQuery())["live"]
        assert (live["run"], live["stage"], live["host"]) == (
            "20260101T000000Z-abcdef",
            None,
            socket.gethostname(),
        )
        assert abs(live["heard_ms"] / 1000 - time.time()) < 5
        _write(copied.workspace, "clips", lease.holder().run, ago_s=20)
        live = throughput(copied, RunQuery())["live"]
    assert (live["stage"], live["done"], live["total"]) == ("clips", 2, 2)
    assert (live["total_is"], live["rows"], live["eta_s"]) == ("exact", 2, 0)
    assert live["rows_per_s"] == pytest.approx(2 / live["window_s"])
    assert 20 <= live["window_s"] < 25
    # The lease is given back: nothing is live.
    assert throughput(copied, RunQuery())["live"] is None


def test_a_run_that_died_is_said_to_have(copied):
    run = throughput(copied, RunQuery())["runs"][0]["run"]
    now = "2026-01-01T00:00:00+00:00"
    lease = {"run": run, "host": socket.gethostname(), "pid": os.getpid(), "process": "gone"}
    lease |= {"command": "x", "since": now, "heartbeat": now}
    Path(copied.workspace.uri, "_run.json").write_text(json.dumps(lease))
    told = throughput(copied, RunQuery())
    assert (told["live"], told["runs"][0]["state"]) == (None, "died")


def _write(workspace, table, run, ago_s):
    """Two entries of the log, as a run that began `ago_s` ago and has added rows would leave."""
    delta = workspace.table(table).delta()
    now_ms = round(time.time() * 1000)
    info = {"run": run, "stage": table, "command": "moviola curate", "host": "h"}
    [add, *_] = [
        line["add"]
        for entry in Path(workspace.uri, table, "_delta_log").glob("*.json")
        for line in map(json.loads, entry.read_text().splitlines())
        if "add" in line
    ]
    entries = [
        [{"commitInfo": info | {"timestamp": now_ms - 1000 * ago_s}}],
        [{"commitInfo": info | {"timestamp": now_ms - 1000}}, {"add": add}],
    ]
    for later, lines in enumerate(entries, start=1):
        name = f"{delta.version() + later:020d}.json"
        Path(workspace.uri, table, "_delta_log", name).write_text(
            "".join(json.dumps(line) + "\n" for line in lines)
        )


def test_progress_is_counted_from_what_there_is_to_do(board):
    index = board.index

    def found(table):
        return progress(board, index, table, index.committed)

    assert found("clips") == (2, 2, "exact")
    assert found("shards/256p") == (2, 2, "exact")
    assert found("shards/strict") == (0, 0, "exact")
    assert found("scores") == (0, 3, "at most")
    assert found("captions/llama") == (0, 2, "at most")
    assert found("latents/256p") == (0, 2, "exact")
    assert found("sources") == (4, None, "unknown")


@pytest.mark.parametrize(
    ("table", "upstream", "done"),
    [
        ("clips", "videos", 2),
        ("scores", "clips", 0),
        ("captions/llama", "selection", 0),
        ("shards/256p", "selection", 2),
        ("latents/256p", "shards/256p", 0),
    ],
)
def test_a_total_is_unknown_while_the_index_is_older_than_its_inputs(board, table, upstream, done):
    committed = dict(board.index.committed)
    now = committed[upstream]
    committed[upstream] = now._replace(version=now.version + 1)
    assert progress(board, board.index, table, committed) == (done, None, "unknown")
    before = board.index._replace(committed={"sources": committed["sources"]})
    assert progress(board, before, table, board.index.committed) == (done, None, "unknown")


def test_a_stage_at_work_is_never_done_with_what_the_index_does_not_know(tmp_path):
    """The whole workspace comes after the index: nothing of it is 0 of 0."""
    whole = small_workspace()
    shutil.copytree(f"{whole.uri}/sources", tmp_path / "w" / "sources")
    made = Board(Workspace(tmp_path / "w"), cache=tmp_path / "cache")
    made.renew()
    run = throughput(made, RunQuery())["chosen"]["run"]
    with Lease(made.workspace, run, "moviola curate"):
        for name in ("videos", "clips"):
            shutil.copytree(f"{whole.uri}/{name}", tmp_path / "w" / name)
        live = throughput(made, RunQuery())["live"]
        assert (live["stage"], live["done"], live["total"]) == ("clips", 2, None)
        assert (live["total_is"], live["eta_s"]) == ("unknown", None)
        made.renew()
        live = throughput(made, RunQuery())["live"]
        assert (live["done"], live["total"], live["total_is"]) == (2, 2, "exact")


def test_rows_that_are_withdrawn_and_written_again_are_not_counted_twice(copied):
    table = copied.workspace.table("clips")
    log = Path(copied.workspace.uri) / "clips" / "_delta_log"
    [*parts] = pa.table(table.delta().get_add_actions())["path"].to_pylist()
    run = "20260101T000000Z-abcdef"
    info = {"run": run, "stage": "clips", "timestamp": round(time.time() * 1000)}
    removed = [{"remove": {"path": path, "dataChange": True}} for path in parts]
    entry = "".join(json.dumps(line) + "\n" for line in [{"commitInfo": info}, *removed])
    (log / f"{table.delta().version() + 1:020d}.json").write_text(entry)
    with Lease(copied.workspace, run, "moviola curate"):
        live = throughput(copied, RunQuery())["live"]
    assert (live["stage"], live["rows"], live["done"], live["total"]) == ("clips", 0, 0, 2)


def test_costs_add_up_to_the_seconds_of_the_rows(board):
    told = costs(board, CostQuery(subset="256p"))
    stages = defaultdict(float)
    for row in told["stages"]:
        stages[row["stage"]] += row["cpu_s"]
    for stage, view in {"sources": "sources", "clips": "passes", "shards/256p": "shards"}.items():
        spent = run_query(board.workspace, f"SELECT cpu_s FROM {view}")["cpu_s"]  # noqa: S608
        assert stages[stage] == pytest.approx(sum(spent.to_pylist())), stage
    subset = told["subset"]
    assert subset["cpu_hours"]["clips"] == pytest.approx(stages["clips"] / 3600)
    kept = run_query(
        board.workspace,
        """SELECT c.duration_s FROM selection AS s JOIN clips AS c USING (clip_id)
        WHERE s.subset = '256p' AND s.status = 'ok'""",
    )["duration_s"].to_pylist()
    assert subset["num_kept"] == len(kept)
    assert subset["hours_kept"] == pytest.approx(sum(kept) / 3600)
    passes = board.workspace.table("clips").read(["cpu_s", "decoded_s"]).to_pylist()
    assert told["decoded"]["hours"] == pytest.approx(sum(p["decoded_s"] for p in passes) / 3600)
    seconds = [row["cpu_s"] for row in told["slowest"]]
    assert seconds == sorted((p["cpu_s"] for p in passes), reverse=True)
    assert sum(row["num_files"] for row in told["sources"]) == 4
    assert sum(row["num_failed"] for row in told["sources"]) == 1


def test_costs_of_a_subset_that_is_not_there_are_refused(board):
    assert costs(board, CostQuery())["subset"]["subset"] == "256p"
    with pytest.raises(ValueError, match="no subset is called"):
        costs(board, CostQuery(subset="' OR 1=1"))
    assert isinstance(board.subsets()["256p"], SubsetSettings)
