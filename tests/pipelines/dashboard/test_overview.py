"""What the page asks first."""

import shutil

import pytest

from pipelines.dashboard.board import Board
from pipelines.dashboard.overview import Nothing, funnel_steps, state
from pipelines.run import Run
from pipelines.summary import steps_of
from pipelines.verify import verify
from pipelines.workspace import Workspace
from tests.boards import made_board, made_workspace, ready
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
        told = state(board, Nothing())["run"]
        assert (told["id"], told["command"], told["is_alive"]) == (run.id, "moviola curate x", True)
    assert state(board, Nothing())["run"] is None


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
