"""Two decisions against brute force over the rows of table `selection`."""

import csv
import io
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation import tables
from pipelines.dashboard.board import Board
from pipelines.dashboard.caption_changes import CaptionsQuery, caption_changes
from pipelines.dashboard.comparison import ComparisonQuery, comparison, transitions
from pipelines.dashboard.decisions import ABSENT, KEPT, Outcomes
from pipelines.dashboard.drift import distance, drift
from pipelines.dashboard.transitions import ANY_RULE, CellExport, CellPage, cell_clips, cell_export
from pipelines.parts import indexed_columns, write_parts
from pipelines.queries import run_query
from pipelines.recipe_history import keep_recipe
from pipelines.workspace import Workspace
from pipelines.writer import TableWriter
from tests.boards import body_of

OUTCOMES = [KEPT, "motion", "bucket:fps", "duplicate", ABSENT]
"""What may become of a clip."""


def made_clips(workspace: Workspace) -> Workspace:
    """Two videos with three clips each, which move from 1 to 6."""
    videos = [{"video_id": name, "uris": [f"/in/{name}.mp4"], "status": "ok"} for name in "vw"]
    passes: list[dict[str, Any]] = []
    for video in videos:
        clips = [
            {
                "clip_id": f"{video['video_id']}-{place}",
                "start_s": 5.0 * place,
                "end_s": 5.0 * place + 4 + place,
                "duration_s": 4.0 + place,
                "motion_vmaf": 1.0 + place + 3 * len(passes),
            }
            for place in range(3)
        ]
        passes.append({"video_id": video["video_id"], "clips": clips, "status": "ok"})
    content = pa.Table.from_pylist(videos, schema=tables.VIDEOS)
    workspace.table("videos").replace(content, {"run": "made"})
    schema = tables.CLIPS.append(tables.FINGERPRINT)
    table, state = workspace.table("clips"), {"status": "ok", "fingerprint": "0"}
    rows = pa.Table.from_pylist([row | state for row in passes], schema=schema)
    writer = TableWriter(table, schema, indexed_columns("video_id"), {"run": "made"})
    writer.commit(write_parts(table.uri, rows, "video_id"))
    return workspace


def decide(
    workspace: Workspace, subset: str, decided: dict[str, str], run: str, recipe: str = ""
) -> None:
    """Commits these outcomes as a decision."""
    rows = [
        {
            "subset": subset,
            "clip_id": clip_id,
            "status": tables.OK if outcome == KEPT else tables.REJECTED,
            "reason": None if outcome == KEPT else outcome,
        }
        for clip_id, outcome in decided.items()
    ]
    table = workspace.table("selection")
    metadata = {"run": run, "command": f"moviola select {run}", "recipe": recipe, "code": "0"}
    content = pa.Table.from_pylist(rows, schema=tables.SELECTION)
    if not table.exists():
        table.replace(tables.SELECTION.empty_table(), metadata)
    table.replace(content, metadata, {"subset": subset})


def board_of(workspace: Workspace, cache: Path) -> Board:
    board = Board(workspace, cache=cache)
    board.renew()
    return board


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return made_clips(Workspace(tmp_path / "workspace"))


def clip_ids(workspace: Workspace) -> list[str]:
    found = run_query(workspace, "SELECT clip_id FROM clips ORDER BY clip_id")
    return [str(name) for name in found["clip_id"].to_pylist()]


def outcomes_of(drawn: list[str]) -> Outcomes:
    names = (ABSENT, KEPT, *sorted({*drawn} - {ABSENT, KEPT}))
    return Outcomes(names, np.array([names.index(one) for one in drawn], np.int16), {})


@given(st.lists(st.tuples(*[st.sampled_from(OUTCOMES)] * 2, st.integers(0, 9)), max_size=40))
def test_transitions_are_those_of_brute_force(drawn: list[tuple[str, str, int]]) -> None:
    before, after = (
        outcomes_of([*side]) for side in ([w for w, _, _ in drawn], [n for _, n, _ in drawn])
    )
    hours = np.array([one[2] for one in drawn], float)
    found = {
        (cell["was"], cell["now"]): (cell["num"], cell["hours"])
        for cell in transitions(before, after, hours)
    }
    expected: dict[tuple[str, str], tuple[int, int]] = {}
    for was, now, long in drawn:
        if (was, now) != (ABSENT, ABSENT):
            num, total = expected.get((was, now), (0, 0))
            expected[was, now] = (num + 1, total + long)
    assert found == expected


def test_every_cell_opens_its_clips(workspace: Workspace, tmp_path: Path) -> None:
    ids = clip_ids(workspace)
    drawn = [(KEPT, KEPT), (KEPT, "motion"), ("motion", KEPT), ("motion", "bucket:fps")]
    drawn += [(ABSENT, KEPT), ("motion", ABSENT)]
    pairs = dict(zip(ids, drawn, strict=True))
    for side, run in enumerate(("one", "two")):
        there = {name: pair[side] for name, pair in pairs.items() if pair[side] != ABSENT}
        decide(workspace, "s", there | {f"gone-{run}": KEPT}, run)
    board = board_of(workspace, tmp_path)
    asked: dict[str, Any] = {"a": "s@1", "b": "s@2"}
    found = comparison(board, ComparisonQuery(**asked))
    cells = {(cell["was"], cell["now"]): cell["num"] for cell in found["cells"]}
    assert cells == dict(Counter(drawn))
    for one in found["outcomes"]:
        assert (one["a"], one["b"]) == tuple(
            sum(pair[side] == one["name"] for pair in drawn) for side in (0, 1)
        )
    assert found["vanished"] == {"a": {KEPT: 1}, "b": {KEPT: 1}}
    wanted = {(was, now): {was, now} for was, now in [*cells, (KEPT, ""), ("", ""), ("", ABSENT)]}
    for was, now in wanted:
        page = cell_clips(board, CellPage(**asked, was=was, now=now))
        in_cell = [
            name for name, (one, two) in pairs.items() if was in ("", one) and now in ("", two)
        ]
        assert [clip["clip_id"] for clip in page["clips"]] == in_cell
        assert page["num"] == len(in_cell)
    lost = cell_clips(board, CellPage(**asked, was=KEPT, now=ANY_RULE))
    assert [clip["clip_id"] for clip in lost["clips"]] == [ids[1]]
    gained = cell_clips(board, CellPage(**asked, was=ANY_RULE, now=KEPT))
    assert [clip["clip_id"] for clip in gained["clips"]] == [ids[2]]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Board, list[str]]:
    """Two decisions of one subset, where the last two clips of six are lost, and another subset."""
    folder = tmp_path_factory.mktemp("two")
    workspace = made_clips(Workspace(folder / "workspace"))
    keep_recipe(workspace, "aaaa", {"subsets": {"s": {"rules": {"motion_vmaf": {"min": 1.0}}}}})
    keep_recipe(workspace, "bbbb", {"subsets": {"s": {"rules": {"motion_vmaf": {"min": 2.5}}}}})
    ids = clip_ids(workspace)
    decide(workspace, "s", dict.fromkeys(ids, KEPT), "one", "aaaa")
    decide(workspace, "other", dict.fromkeys(ids, "border"), "one", "aaaa")
    second = {name: KEPT if name in ids[:4] else "motion" for name in ids}
    decide(workspace, "s", second, "two", "bbbb")
    return board_of(workspace, folder), ids


def test_the_last_two_decisions_are_compared_by_default(two: tuple[Board, list[str]]) -> None:
    board, ids = two
    found = comparison(board, ComparisonQuery(subset="s"))
    assert [one["name"] for one in found["decisions"]] == ["s@3", "other@2", "s@1"]
    assert (found["a"]["name"], found["b"]["name"]) == ("s@1", "s@3")
    assert found["b"] | {"time": None} == {
        "name": "s@3",
        "subset": "s",
        "version": 3,
        "time": None,
        "run": "two",
        "recipe": "bbbb",
        "command": "moviola select two",
        "code": "0",
    }
    assert found["recipe"] == [{"key": "subsets.s.rules.motion_vmaf.min", "old": 1.0, "new": 2.5}]
    [kept] = [one for one in found["outcomes"] if one["name"] == KEPT]
    seconds = run_query(board.workspace, "SELECT clip_id, duration_s FROM clips").to_pylist()
    lengths = {row["clip_id"]: row["duration_s"] for row in seconds}
    assert kept["a_hours"] == pytest.approx(sum(lengths.values()) / 3600)
    assert kept["b_hours"] == pytest.approx(sum(lengths[name] for name in ids[:4]) / 3600)


def test_a_subset_alone_is_compared_with_another(two: tuple[Board, list[str]]) -> None:
    board, ids = two
    found = comparison(board, ComparisonQuery(b="other@2"))
    assert found["a"]["name"] == "s@3"
    cells = {(c["was"], c["now"]): c["num"] for c in found["cells"]}
    assert cells == {(KEPT, "border"): 4, ("motion", "border"): len(ids) - 4}


def test_lost_clips_are_exported(two: tuple[Board, list[str]]) -> None:
    board, ids = two
    asked: dict[str, Any] = {"a": "s@1", "b": "s@3", "was": KEPT, "now": ANY_RULE}
    body = body_of(cell_export(board, CellExport(**asked)))
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert [row["clip_id"] for row in rows] == ids[4:]
    assert {(row["was"], row["now"]) for row in rows} == {(KEPT, "motion")}
    body = bytes(cell_export(board, CellExport(**asked, format="parquet")).body)
    assert pq.read_table(io.BytesIO(body))["clip_id"].to_pylist() == ids[4:]


def test_tiles_carry_the_later_verdict(two: tuple[Board, list[str]]) -> None:
    board, ids = two
    page = cell_clips(board, CellPage(a="s@1", b="s@3", was=KEPT, page=1, size=3))
    assert page["num"] == len(ids)
    assert [clip["clip_id"] for clip in page["clips"]] == ids[3:]
    assert [clip["verdict"] for clip in page["clips"]] == ["ok", "rejected", "rejected"]
    assert [clip["reason"] for clip in page["clips"]] == [None, "motion", "motion"]
    assert page["clips"][0]["uri"]


def test_drift_is_that_of_the_kept_clips(two: tuple[Board, list[str]]) -> None:
    board, ids = two
    found = drift(board, ComparisonQuery(a="s@1", b="s@3"))
    [moved] = [one for one in found["measures"] if one["measure"] == "motion_vmaf"]
    rows = run_query(board.workspace, "SELECT clip_id, motion_vmaf FROM clips").to_pylist()
    values = {row["clip_id"]: row["motion_vmaf"] for row in rows}
    before, after = np.sort([*values.values()]), np.sort([values[name] for name in ids[:4]])
    shares = [abs((before <= value).mean() - (after <= value).mean()) for value in values.values()]
    assert moved["distance"] == pytest.approx(max(shares))
    for side, kept in (("a", before), ("b", after)):
        assert moved[side]["num"] == len(kept) == sum(moved[side]["bins"])
        assert moved[side]["quantiles"] == pytest.approx(np.quantile(kept, found["quantiles"]))


@given(*[st.lists(st.integers(0, 8), min_size=1, max_size=12)] * 2)
def test_distance_is_the_greatest_difference_of_shares(one: list[int], two: list[int]) -> None:
    before, after = np.sort(np.array(one, float)), np.sort(np.array(two, float))
    expected = max(abs((before <= v).mean() - (after <= v).mean()) for v in [*one, *two])
    assert distance(before, after) == pytest.approx(expected)


def test_a_vacuumed_decision_is_said_to_be_gone(
    two: tuple[Board, list[str]], tmp_path: Path
) -> None:
    shutil.copytree(two[0].workspace.uri, tmp_path / "workspace")
    board = board_of(Workspace(tmp_path / "workspace"), tmp_path)
    board.workspace.table("selection").delta().vacuum(
        retention_hours=0, dry_run=False, enforce_retention_duration=False
    )
    found = comparison(board, ComparisonQuery(a="s@1", b="s@3"))
    assert found["gone"] == {"a": "version 1 of table selection was vacuumed"}
    assert "cells" not in found
    assert found["recipe"]
    with pytest.raises(ValueError, match="was vacuumed, so it cannot be compared"):
        cell_clips(board, CellPage(a="s@1", b="s@3"))


@pytest.mark.parametrize(
    ("name", "said"),
    [("s", "write subset@version"), ("s@x", "write subset@version"), ("s@9", "no decision 's@9'")],
)
def test_what_is_no_decision_is_refused(two: tuple[Board, list[str]], name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        comparison(two[0], ComparisonQuery(a=name))


def test_no_selection_is_nothing_to_compare(workspace: Workspace, tmp_path: Path) -> None:
    found = comparison(board_of(workspace, tmp_path), ComparisonQuery())
    assert (found["decisions"], found["a"], found["b"]) == ([], None, None)


def test_changed_captions_are_side_by_side(workspace: Workspace, tmp_path: Path) -> None:
    ids = clip_ids(workspace)
    table = workspace.table("captions/facts")

    def describe(captions: dict[str, str], run: str) -> None:
        rows = [
            {"clip_id": name, "captioner": "facts", "caption": text, "status": "ok", "flags": []}
            for name, text in captions.items()
        ]
        table.replace(pa.Table.from_pylist(rows, schema=tables.CAPTIONS), {"run": run})

    decide(workspace, "s", dict.fromkeys(ids, KEPT), "one")
    describe({ids[0]: "a dog", ids[1]: "a cat", ids[2]: "a cow"}, "one")
    decide(workspace, "s", dict.fromkeys(ids[:3], KEPT), "two")
    describe({ids[0]: "a dog", ids[1]: "two cats", ids[3]: "a hen"}, "two")
    board = board_of(workspace, tmp_path)
    found = caption_changes(board, CaptionsQuery(a="s@1", b="s@2"))
    assert found["captioners"] == [{"captioner": "facts", "a": 0, "b": 1}]
    assert found["num"] == {"changed": 1, "same": 1, "gained": 1, "lost": 1}
    [change] = found["changes"]
    assert (change["clip_id"], change["a"]["caption"], change["b"]["caption"]) == (
        ids[1],
        "a cat",
        "two cats",
    )
    same = caption_changes(board, CaptionsQuery(a="s@2", b="s@2"))
    assert (same["num"], same["changes"]) == (None, [])
