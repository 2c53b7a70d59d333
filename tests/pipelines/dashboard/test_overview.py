"""What the page asks first."""

import shutil
import time

import pytest

from pipelines.dashboard.answers import answered
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import SubsetQuery
from pipelines.dashboard.overview import Nothing, funnel_steps, state
from pipelines.dashboard.redecide import recipe_text
from pipelines.dashboard.throughput import RunQuery, throughput
from pipelines.run import Run
from pipelines.summary import steps_of
from pipelines.verify import verify
from pipelines.workspace import Workspace
from tests.boards import body_of, made_board, made_workspace, odd_workspace, ready
from tests.workspaces import add_scores, small_workspace


def test_the_steps_are_those_of_the_summary_and_of_verify():
    found = funnel_steps(made_board(), Nothing())["steps"]
    checked = verify(made_workspace())
    for theirs in (steps_of(made_workspace()), checked.steps):
        assert [(one["name"], one["num_in"], one["num_out"], one["adds_up"]) for one in found] == [
            (one.name, one.num_in, one.num_out, one.adds_up) for one in theirs
        ]
    assert checked.is_sound
    for one in found:
        assert one["num_in"] == sum(outcome["num"] for outcome in one["outcomes"])


def test_the_state_before_and_after_the_index(tmp_path):
    board = Board(small_workspace(), cache=tmp_path)
    before = state(board, Nothing())
    assert (before["is_ready"], before["subsets"], before["mark"]) == (False, [], "")
    board.renew()
    after = state(board, Nothing())
    assert (after["is_ready"], after["subsets"], after["problem"]) == (True, ["256p", "strict"], "")
    assert after["run"] is None


def test_the_mark_changes_with_a_commit_and_only_then(tmp_path):
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    board = ready(Workspace(tmp_path / "work"), tmp_path / "cache")
    marks = [state(board, Nothing())["mark"]]
    board.renew()
    marks.append(state(board, Nothing())["mark"])
    add_scores(board.workspace, aesthetic=5.0)
    board.renew()
    marks.append(state(board, Nothing())["mark"])
    assert marks[0] == marks[1] != marks[2]


def test_a_run_at_work_is_told(tmp_path):
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    board = ready(Workspace(tmp_path / "work"), tmp_path / "cache")
    with Run(board.workspace, command="moviola curate x") as run:
        board.look_for_run()
        told = state(board, Nothing())["run"]
        assert (told["id"], told["command"], told["is_alive"]) == (run.id, "moviola curate x", True)
    board.look_for_run()
    assert state(board, Nothing())["run"] is None


def test_a_board_hears_of_a_run_while_the_index_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.dashboard.board.LOOK_S", 0.05)
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    board = Board(Workspace(tmp_path / "work"), cache=tmp_path / "cache")
    monkeypatch.setattr(board, "renew", lambda: time.sleep(1))
    with board, Run(board.workspace, command="moviola curate x") as run:
        ends = time.monotonic() + 5
        while (told := state(board, Nothing())["run"]) is None or told["id"] != run.id:
            assert time.monotonic() < ends
            time.sleep(0.02)


def test_a_workspace_that_is_gone_is_said_and_not_made_again(tmp_path):
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    board = ready(Workspace(tmp_path / "work"), tmp_path / "cache")
    asked = {
        "sources": lambda: throughput(board, RunQuery()),
        "selection": lambda: recipe_text(board, SubsetQuery(subset="256p")),
    }
    for ask in asked.values():
        assert answered(ask).status_code == 200
    shutil.rmtree(tmp_path / "work")
    for table, ask in asked.items():
        answer = answered(ask)
        assert answer.status_code == 502
        assert f"table {table} of {board.workspace.uri} is gone" in body_of(answer).decode()
    board.look_for_run()
    with pytest.raises(ValueError, match="is no workspace"):
        board.renew()
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("table", ["sources", "videos", "clips", "selection"])
def test_a_table_that_was_removed_under_others_is_named(table, tmp_path):
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    board = ready(Workspace(tmp_path / "work"), tmp_path / "cache")
    assert board.problem == ""
    (tmp_path / "work" / table).rename(tmp_path / table)
    board.renew()
    assert f"table {table} is gone, although" in state(board, Nothing())["problem"]
    (tmp_path / table).rename(tmp_path / "work" / table)
    board.renew()
    assert board.problem == ""


def test_scores_are_missed_only_where_a_subset_was_selected_by_them(tmp_path):
    without = ready(small_workspace(), tmp_path / "one")
    assert "scores" not in without.index.committed
    assert without.problem == ""
    shutil.copytree(odd_workspace().uri, tmp_path / "work")
    shutil.rmtree(tmp_path / "work" / "scores")
    board = ready(Workspace(tmp_path / "work"), tmp_path / "cache")
    assert "table scores is gone, although selection was made from it" in board.problem


def test_looking_at_a_place_without_a_workspace_makes_no_folder(tmp_path):
    board = Board(Workspace(tmp_path / "mistyped"), cache=tmp_path / "cache")
    with pytest.raises(ValueError, match="is no workspace"):
        board.renew()
    assert state(board, Nothing())["is_ready"] is False
    assert not (tmp_path / "mistyped").exists()


def test_bytes_and_hours_of_a_step_add_up():
    for step in funnel_steps(made_board(), Nothing())["steps"]:
        assert step["size_bytes_in"] == sum(one["size_bytes"] for one in step["outcomes"])
        if step["name"].startswith("selection/"):
            assert step["hours_in"] == pytest.approx(sum(one["hours"] for one in step["outcomes"]))
