"""Duplicates against a loop over the rows that were stored."""

import random
import shutil
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.speed.made_workspace import made_recipe
from curation import tables
from pipelines.dashboard.duplicates import DuplicatesQuery, GroupsQuery, duplicates, groups
from pipelines.dashboard.examples import PageQuery, clips
from pipelines.queries import run_query
from pipelines.run import Run
from pipelines.workspace import Workspace
from tests import media
from tests.boards import made_workspace, ready
from tests.workspaces import decide_again, small_workspace

SUBSET = "256p"
BLOCKED = "feedfeedfeedfeed-0-100"


def with_groups(workspace, recipe=None):
    """Makes duplicates of kept clips: of one video, of others, of a block list, of their own id."""
    drawn = random.Random(7)
    rows = workspace.table("selection").read().to_pylist()
    for row in rows:
        if row["reason"] == "duplicate":
            row |= {"reason": "motion_vmaf", "duplicate_of": None, "cosine": None}
    kept = [row for row in rows if row["subset"] == SUBSET and row["status"] == "ok"]
    drawn.shuffle(kept)
    by_video = defaultdict(list)
    for row in kept:
        by_video[row["video_id"]].append(row)
    several = [few for few in by_video.values() if len(few) > 2][:20]
    for best, *others in several:
        for row in others:
            reject(row, best["clip_id"], drawn.uniform(0.97, 1))
    free = [row for row in kept if row["status"] == "ok" and row not in [few[0] for few in several]]
    best, rest = free[:12], free[12:]
    for row in rest[:90]:
        reject(row, drawn.choice(best)["clip_id"], drawn.uniform(0.7, 1))
    for row in rest[90:95]:
        reject(row, BLOCKED, drawn.uniform(0.7, 1))
    reject(rest[95], rest[95]["clip_id"], 1.0)
    rest[96] |= {"status": "rejected", "reason": "duplicate:unscored"}
    table = pa.Table.from_pylist(rows, schema=tables.SELECTION)
    values = recipe or made_recipe().model_dump(mode="json")
    with Run(workspace, command="test", recipe=values, recipe_hash="d0b1e5") as run:
        workspace.table("selection").replace(table, run.metadata)
    return workspace


def reject(row, better, cosine):
    row |= {"status": "rejected", "reason": "duplicate", "duplicate_of": better}
    row["cosine"] = float(np.float32(cosine))


@pytest.fixture(scope="module")
def board():
    folder = shutil.copytree(made_workspace().uri, media.folder() / "with duplicates")
    return ready(with_groups(Workspace(folder)), media.folder() / "cache")


@pytest.fixture(scope="module")
def pairs(board):
    rows = board.workspace.table("selection").read().to_pylist()
    found = [row for row in rows if row["subset"] == SUBSET and row["reason"] == "duplicate"]
    for row in found:
        row["is_same"] = row["video_id"] == row["duplicate_of"].partition("-")[0]
    assert {row["is_same"] for row in found} == {True, False}
    return found


def freed(pairs, threshold, same):
    return [row for row in pairs if row["cosine"] < (same if row["is_same"] else threshold)]


def all_groups(board):
    pages = [groups(board, GroupsQuery(subset=SUBSET, size=50, page=page)) for page in (0, 1)]
    return [one for page in pages for one in page["groups"]]


@pytest.mark.parametrize(
    ("threshold", "same"), [(0.7, 0.97), (0.85, 0.97), (0.7, 0.985), (0.931, 0.99), (1, 1)]
)
def test_counts_what_stricter_thresholds_free(board, pairs, threshold, same):
    asked = DuplicatesQuery(subset=SUBSET, threshold=threshold, same_video_threshold=same)
    found = duplicates(board, asked)
    wanted = freed(pairs, threshold, same)
    assert (found["num"], found["num_freed"]) == (len(pairs), len(wanted))
    for name, is_same in (("same", True), ("different", False)):
        kind = found["kinds"][name]
        assert kind["num"] == sum(row["is_same"] == is_same for row in pairs)
        assert kind["num_freed"] == sum(row["is_same"] == is_same for row in wanted)
    members, left = defaultdict(set), defaultdict(set)
    for row in pairs:
        members[row["duplicate_of"]].add(row["clip_id"])
    for row in wanted:
        left[row["duplicate_of"]].add(row["clip_id"])
    assert found["num_groups"] == len(members)
    assert found["num_shrunk"] == len(left)
    assert found["num_dissolved"] == sum(left[name] == members[name] for name in list(left))


def test_a_duplicate_just_as_alike_as_the_threshold_stays(board, pairs):
    one = min((row for row in pairs if not row["is_same"]), key=lambda row: row["cosine"])
    asked = [one["cosine"], np.nextafter(one["cosine"], 2)]
    found = [duplicates(board, DuplicatesQuery(subset=SUBSET, threshold=value)) for value in asked]
    assert [one["kinds"]["different"]["num_freed"] for one in found] == [0, 1]


def test_the_histogram_counts_every_duplicate_once(board, pairs):
    found = duplicates(board, DuplicatesQuery(subset=SUBSET))
    for name, is_same in (("same", True), ("different", False)):
        cosines = [row["cosine"] for row in pairs if row["is_same"] == is_same]
        bins = found["kinds"][name]["bins"]
        assert sum(one["num"] for one in bins) == len(cosines)
        for one in bins:
            last = one["high"] > 1 - 1e-9
            inside = [
                c
                for c in cosines
                if one["low"] - 1e-12 <= c < one["high"] - 1e-12 or (last and c >= 1)
            ]
            assert one["num"] == len(inside)
    assert found["num_unscored"] == 1
    assert found["settings"] == {
        "threshold": 0.7,
        "same_video_threshold": 0.97,
        "prefer": ["min_side_px", "-quality_brisque", "bits_per_pixel", "duration_s"],
        "num_against": 0,
    }


def test_groups_come_by_size_a_page_at_a_time(board, pairs):
    members = defaultdict(dict)
    for row in pairs:
        members[row["duplicate_of"]][row["clip_id"]] = row
    seen = []
    for page in range(4):
        found = groups(board, GroupsQuery(subset=SUBSET, page=page, size=20, threshold=0.8))
        assert found["num"] == len(members)
        seen += found["groups"]
    assert [(-one["num"], one["duplicate_of"]) for one in seen] == sorted(
        (-len(rows), name) for name, rows in members.items()
    )
    for one in seen:
        rows = members[one["duplicate_of"]]
        assert {member["clip_id"] for member in one["members"]} == set(rows)
        assert one["num_freed"] == len(freed(rows.values(), 0.8, 0.97))
        cosines = [member["cosine"] for member in one["members"]]
        assert cosines == sorted(cosines, reverse=True)
        for member in one["members"]:
            row = rows[member["clip_id"]]
            assert (member["cosine"], member["is_same"]) == (row["cosine"], row["is_same"])
            assert member["is_freed"] == (row in freed(rows.values(), 0.8, 0.97))


def test_says_which_measure_decided(board):
    sql = "SELECT clip_id, min_side_px, quality_brisque, bits_per_pixel, duration_s FROM clips"
    known = {row.pop("clip_id"): row for row in run_query(board.workspace, sql).to_pylist()}
    prefer = made_recipe().selection.duplicates.prefer
    num = 0
    for one in all_groups(board):
        if one["kept"] is None:
            continue
        best = known[one["duplicate_of"]]
        assert one["kept"]["measures"] == pytest.approx(
            {name: best[name.lstrip("-")] for name in prefer}
        )
        for member in one["members"]:
            own = known[member["clip_id"]]
            differing = [name for name in prefer if own[name.lstrip("-")] != best[name.lstrip("-")]]
            assert member["decided_by"] == (differing[0] if differing else None)
            num += 1
    assert num > 100


def test_a_clip_of_a_block_list_is_not_taken_for_one_that_was_kept_here(board):
    found = {one["duplicate_of"]: one for one in all_groups(board)}
    assert found[BLOCKED]["kept"] is None
    twins = [one for one in found.values() if one["members"][0]["clip_id"] == one["duplicate_of"]]
    assert [one["kept"] for one in twins] == [None]
    assert all(member["decided_by"] is None for member in found[BLOCKED]["members"])
    others = [one for one in found.values() if one["kept"] is None]
    assert len(others) == 2


def test_the_members_of_a_group_are_behind_its_link(board):
    one = groups(board, GroupsQuery(subset=SUBSET, size=1))["groups"][0]
    asked = PageQuery(subset=SUBSET, duplicate_of=one["duplicate_of"], reason="duplicate", size=200)
    assert {clip["clip_id"] for clip in clips(board, asked)["clips"]} == {
        member["clip_id"] for member in one["members"]
    }


def test_a_looser_threshold_is_refused_as_its_pairs_were_not_stored(board):
    for name, value in (("threshold", 0.69), ("same_video_threshold", 0.9)):
        with pytest.raises(
            ValueError, match=rf"^{name} .* is looser than the recipe's .* not stored"
        ):
            duplicates(board, DuplicatesQuery(subset=SUBSET, **{name: value}))


def test_the_thresholds_are_those_of_the_subsets_own_recipe(tmp_path):
    workspace = Workspace(shutil.copytree(small_workspace().uri, tmp_path / "ws"))
    decide_again(workspace, "256p", duplicates={"threshold": 0.7})
    decide_again(workspace, "strict", duplicates={"threshold": 0.9, "prefer": ["duration_s"]})
    board = ready(workspace, tmp_path)
    told = duplicates(board, DuplicatesQuery(subset="256p", threshold=0.75))["settings"]
    assert (told["threshold"], told["prefer"][0]) == (0.7, "min_side_px")
    told = duplicates(board, DuplicatesQuery(subset="strict"))["settings"]
    assert (told["threshold"], told["prefer"]) == (0.9, ["duration_s"])
    with pytest.raises(ValueError, match=r"looser than the recipe's 0\.9"):
        duplicates(board, DuplicatesQuery(subset="strict", threshold=0.75))


def test_without_the_recipe_the_thresholds_are_unknown(tmp_path, pairs):
    workspace = with_groups(Workspace(shutil.copytree(made_workspace().uri, tmp_path / "ws")))
    for path in (tmp_path / "ws" / "_recipes").iterdir():
        path.unlink()
    board = ready(workspace, tmp_path)
    found = duplicates(board, DuplicatesQuery(subset=SUBSET, threshold=0.1))
    assert (found["settings"], found["num"], found["num_freed"]) == (None, len(pairs), 0)
    members = groups(board, GroupsQuery(subset=SUBSET))["groups"][0]["members"]
    assert {(str(one["measures"]), one["decided_by"]) for one in members} == {("{}", None)}


def test_a_workspace_without_duplicates_has_none(tmp_path):
    board = ready(small_workspace(), tmp_path)
    found = duplicates(board, DuplicatesQuery(subset=SUBSET))
    assert (found["num"], found["num_groups"], found["kinds"], found["settings"]) == (
        0,
        0,
        {},
        None,
    )
    assert groups(board, GroupsQuery(subset=SUBSET))["groups"] == []


def test_an_unknown_subset_is_refused(board):
    with pytest.raises(ValueError, match="no subset is called 'x'"):
        groups(board, GroupsQuery(subset="x"))
