"""What did not come through, against the funnel and the rows of the tables."""

import csv
import io
import itertools
import shlex
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from curation.funnel import funnel
from pipelines.cli import app
from pipelines.dashboard.board import Board
from pipelines.dashboard.failed_rows import (
    RowExport,
    RowPage,
    RowQuery,
    export,
    groups,
    rows,
)
from pipelines.dashboard.failures import failures, slowest
from pipelines.dashboard.overview import Nothing
from pipelines.dashboard.recent import Recent
from pipelines.dashboard.remedies import Origin, going_on, reproducing, retrying
from pipelines.queries import run_query
from pipelines.workspace import Workspace
from tests.boards import body_of, made_workspace
from tests.workspaces import small_workspace


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """A board over 4 real files, one of them a text."""
    board = Board(small_workspace(), cache=tmp_path_factory.mktemp("small"))
    board.renew()
    return board


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """A board over 2,000 made clips."""
    board = Board(made_workspace(), cache=tmp_path_factory.mktemp("made"))
    board.renew()
    return board


@pytest.mark.parametrize("name", ["small", "made"])
def test_classes_are_those_of_the_funnel(name: str, request: pytest.FixtureRequest) -> None:
    board: Board = request.getfixturevalue(name)
    with board.index.connection.cursor() as cursor:
        steps = funnel(cursor)
    found = failures(board, Nothing())["stages"]
    assert [(one["stage"], one["num_in"]) for one in found] == [
        (step.name, step.num_in) for step in steps
    ]
    for one, step in zip(found, steps, strict=True):
        expected = {
            (outcome.status, outcome.reason or outcome.status): outcome.num
            for outcome in step.outcomes
            if outcome.status != "ok"
            and (outcome.status == "waiting" or not step.name.startswith("selection/"))
        }
        assert {(row["status"], row["why"]): row["num"] for row in one["classes"]} == expected
        for row in one["classes"]:
            page = rows(board, RowPage(stage=one["stage"], why=row["why"], size=1))
            assert page["num"] == row["num"]
            beyond = rows(board, RowPage(stage=one["stage"], why=row["why"], page=999_999))
            assert (beyond["num"], beyond["rows"]) == (row["num"], [])
            assert page["rows"][0]["status"] == row["status"] == row["example"]["status"]


def test_an_example_has_its_whole_error_and_what_it_means(small: Board) -> None:
    [sources] = [one for one in failures(small, Nothing())["stages"] if one["stage"] == "sources"]
    [failed] = sources["classes"]
    assert (failed["why"], failed["num"], sources["num_in"]) == ("not_media", 1, 4)
    assert "allow-list" in failed["meaning"]
    [row] = run_query(small.workspace, "FROM sources WHERE status = 'failed'").to_pylist()
    assert failed["example"]["error"] == row["error"]
    assert failed["example"]["key"] == row["uri"]


def test_the_command_of_a_failure_reproduces_it(
    small: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    [row] = rows(small, RowPage(stage="sources"))["rows"]
    words = shlex.split(row["reproduce"])
    again = Workspace(words[words.index("--workspace") + 1])
    answer = CliRunner().invoke(app, words[1:])
    # One of one has failed, which is more than the recipe allows.
    assert answer.exit_code == 3, answer.output
    [same] = run_query(again, "FROM sources").to_pylist()
    assert {key: same[key] for key in ("uri", "status", "reason", "error")} == {
        key: row[key] for key in ("uri", "status", "reason", "error")
    }


def test_a_file_with_the_same_content_is_shown_but_has_nothing_to_reproduce(small: Board) -> None:
    [row] = rows(small, RowPage(stage="videos", why="same_content"))["rows"]
    assert row["uri"].endswith("the same again.mp4")
    assert "moving [1]" in row["error"]
    assert (row["status"], row["reproduce"]) == ("rejected", None)


def test_videos_turned_away_are_shown_with_the_rule(made: Board) -> None:
    [videos] = [one for one in failures(made, Nothing())["stages"] if one["stage"] == "videos"]
    rejected = run_query(
        made.workspace,
        "SELECT reason, count(*) AS num FROM videos WHERE status = 'rejected' GROUP BY ALL",
    ).to_pylist()
    assert rejected
    shown = {row["why"]: row for row in videos["classes"] if row["why"] != "same_content"}
    assert {why: row["num"] for why, row in shown.items()} == {
        row["reason"]: row["num"] for row in rejected
    }
    for why, row in shown.items():
        assert row["meaning"].startswith(f"the recipe's videos.{why} takes ")


@pytest.mark.parametrize("most_held", [1_000, 3])
def test_pages_hold_every_row_once_and_so_does_the_export(
    made: Board, monkeypatch: pytest.MonkeyPatch, most_held: int
) -> None:
    monkeypatch.setattr("pipelines.dashboard.failed_rows.MOST_HELD", most_held)
    monkeypatch.setattr("pipelines.dashboard.failed_rows._held", Recent(1))
    expected = run_query(
        made.workspace, "SELECT uri FROM sources WHERE status = 'failed' ORDER BY uri"
    )["uri"].to_pylist()
    assert len(expected) > 5
    seen: list[str] = []
    for number in itertools.count():
        page = rows(made, RowPage(stage="sources", page=number, size=5))
        if not page["rows"]:
            break
        assert page["num"] == len(expected)
        seen += [row["key"] for row in page["rows"]]
    assert seen == expected
    body = body_of(export(made, RowExport(stage="sources"))).decode()
    assert [row["key"] for row in csv.DictReader(io.StringIO(body))] == expected


def test_a_search_finds_text_in_names_and_errors(made: Board) -> None:
    failed = run_query(made.workspace, "FROM sources WHERE status = 'failed'").to_pylist()
    wanted = failed[0]["uri"][-9:]
    expected = {row["uri"] for row in failed if wanted.upper() in row["uri"].upper()}
    found = rows(made, RowPage(stage="sources", search=wanted.upper(), size=200))
    assert {row["key"] for row in found["rows"]} == expected
    assert rows(made, RowPage(stage="sources", search="50% of it_"))["num"] == 0


def test_groups_have_their_denominators(made: Board) -> None:
    every = run_query(made.workspace, "FROM sources").to_pylist()

    def place(row: dict[str, str]) -> tuple[str, str]:
        return row["source"] or row["uri"][: row["uri"].rindex("/") + 1], row["licence"]

    found = groups(made, RowQuery(stage="sources"))["groups"]
    assert found
    for one in found[:5]:
        alike = [row for row in every if place(row) == (one["source"], one["licence"])]
        assert one["num_in"] == len(alike)
        assert one["num"] == sum(row["status"] != "ok" for row in alike)


def test_the_slowest_files_are_those_that_took_most(made: Board) -> None:
    found = slowest(made, Nothing())
    spent = run_query(
        made.workspace,
        """SELECT uris[1] AS uri, s.cpu_s + coalesce(p.cpu_s, 0)
            + coalesce((SELECT sum(cpu_s) FROM scores AS t WHERE t.video_id = v.video_id), 0)
            + coalesce((SELECT sum(cpu_s) FROM captions AS t WHERE t.video_id = v.video_id), 0)
            + coalesce((SELECT sum(cpu_s) FROM shards AS t WHERE t.video_id = v.video_id), 0) AS s
        FROM videos AS v JOIN sources AS s ON s.uri = v.uris[1]
        LEFT JOIN passes AS p ON p.video_id = v.video_id ORDER BY 2 DESC LIMIT 20""",
    ).to_pylist()
    assert [file["uri"] for file in found["files"]] == [row["uri"] for row in spent]
    assert [file["cpu_s"] for file in found["files"]] == pytest.approx([row["s"] for row in spent])
    assert found["total_s"] > sum(row["s"] for row in spent)


def test_an_unknown_step_is_refused(small: Board) -> None:
    for stage in ("nothing", "captions", "sources/x"):
        with pytest.raises(ValueError, match="no step is called"):
            rows(small, RowPage(stage=stage))


CURATE = "moviola curate demo --input 'in put' --workspace w"


@pytest.mark.parametrize(
    ("command", "stage", "retry", "go_on"),
    [
        (CURATE, "sources", f"{CURATE} --retry-failed", CURATE),
        (f"{CURATE} --retry-failed", "clips", f"{CURATE} --retry-failed", None),
        ("moviola select demo", "shards/256p", "moviola stage shards {} --retry-failed", None),
        ("by hand", "sources", None, None),
    ],
)
def test_what_was_typed_is_typed_again_where_it_does_the_work(
    small: Board, command: str, stage: str, retry: str | None, go_on: str | None
) -> None:
    origin = Origin(command, "abc", 0)
    uri = small.workspace.uri
    place = shlex.join([f"{uri}/_recipes/abc.json", "--workspace", uri])
    assert retrying(small, origin, stage) == (retry.format(place) if retry else None)
    if go_on:
        assert going_on(small, origin, stage) == go_on


@pytest.mark.parametrize(
    ("uri", "given"),
    [
        ("/in/a b.mp4", "/in/a b.mp4"),
        ("/in/list.csv#line-3", "/in/list.csv"),
        ("/in/%FF.mp4", "file:///in/%FF.mp4"),
        ("s3://bucket/a%20b.mp4", "s3://bucket/a%20b.mp4"),
    ],
)
def test_the_input_of_the_command_is_the_file_alone(small: Board, uri: str, given: str) -> None:
    command = reproducing(small, Origin("", "abc", 0), "clips", uri)
    assert command is not None
    words = shlex.split(command)
    assert words[words.index("--input") + 1] == given
    assert Path(words[words.index("--workspace") + 1]).name.startswith("moviola-repro-")
    assert reproducing(small, Origin("", "abc", 0), "latents/x", uri) is None
    assert reproducing(small, Origin("", "", 0), "clips", uri) is None


def test_the_recipe_of_a_bucket_is_to_be_copied_first(tmp_path: Path) -> None:
    board = Board(Workspace("s3://bucket/ws"), cache=tmp_path)
    command = reproducing(board, Origin("", "abc", 0), "clips", "s3://bucket/in/a.mp4")
    assert command is not None
    first, second = command.split("\n")
    assert first == "# first copy s3://bucket/ws/_recipes/abc.json to this folder"
    assert shlex.split(second)[:3] == ["moviola", "curate", "abc.json"]
