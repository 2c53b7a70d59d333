"""The map of concepts against sums over the rows of the tables."""

import shutil

import numpy as np
import pyarrow.compute as pc
import pytest

from benchmarks.speed.made_workspace import made_recipe
from curation import tables
from pipelines.dashboard.concept_map import concept_map
from pipelines.dashboard.examples import PageQuery, clips
from pipelines.dashboard.filters import SubsetQuery
from pipelines.run import Run
from pipelines.workspace import Workspace
from tests.boards import made_board, made_workspace, ready
from tests.workspaces import small_workspace

SHARES = ("share", "resampled_share", "target_share", "weight", "target_weight")


def kept_of(workspace, subset):
    rows = workspace.table("selection").read().to_pylist()
    return [row for row in rows if row["subset"] == subset and row["status"] == "ok"]


@pytest.mark.parametrize("subset", ["256p", "768p"])
def test_shares_are_those_of_the_clips_and_of_their_weights(subset):
    found = concept_map(made_board(), SubsetQuery(subset=subset))
    kept = [row for row in kept_of(made_workspace(), subset) if row["concept_id"] is not None]
    named = {
        row["concept_id"]: row for row in made_workspace().table("concepts").read().to_pylist()
    }
    sizes, weights = {}, {}
    for row in kept:
        sizes[row["concept_id"]] = sizes.get(row["concept_id"], 0) + 1
        weights[row["concept_id"]] = weights.get(row["concept_id"], 0) + row["weight"]
    roots = sum(size**0.5 for size in sizes.values())
    assert {one["concept_id"] for one in found["concepts"]} == set(named)
    for one in found["concepts"]:
        known = named[one["concept_id"]]
        size = sizes.get(one["concept_id"], 0)
        assert (one["name"], one["num"], one["found_size"]) == (
            known["name"],
            size,
            known["found_size"],
        )
        assert (one["x"], one["y"]) == pytest.approx((known["x"], known["y"]))
        if not size:
            assert [one[name] for name in SHARES] == [None] * 5
            continue
        weight = weights[one["concept_id"]]
        target = size**0.5 / roots
        assert [one[name] for name in SHARES] == pytest.approx(
            [
                size / len(kept),
                weight / sum(weights.values()),
                target,
                weight / size,
                target * len(kept) / size,
            ]
        )
    order = [(-one["num"], one["concept_id"]) for one in found["concepts"]]
    assert order == sorted(order)
    assert found["num_concepts"] == len(sizes)
    assert (found["num_clips"], found["num_grouped"]) == (
        len(kept_of(made_workspace(), subset)),
        len(kept),
    )


def test_says_how_a_subset_is_resampled(tmp_path):
    values = made_recipe().model_dump(mode="json")
    values["subsets"]["256p"]["resampling"] = {"exponent": 0.25, "budget": 900, "rare_floor": 2}
    values["subsets"]["768p"]["resampling"] = None
    workspace = Workspace(shutil.copytree(made_workspace().uri, tmp_path / "ws"))
    rows = workspace.table("selection").read()
    plain = pc.if_else(pc.equal(rows["subset"], "768p"), 1.0, rows["weight"])
    rows = rows.set_column(rows.schema.get_field_index("weight"), "weight", plain)
    with Run(workspace, command="test", recipe=values, recipe_hash="c0ffee") as run:
        workspace.table("selection").replace(rows.cast(tables.SELECTION), run.metadata)
    board = ready(workspace, tmp_path)
    names = ("is_resampled", "is_weighed", "exponent", "budget", "rare_floor")
    found = [concept_map(board, SubsetQuery(subset=one)) for one in ("256p", "768p")]
    assert [found[0][name] for name in names] == [True, True, 0.25, 900, 2]
    assert [found[1][name] for name in names] == [False, False, 0.5, None, None]
    sizes = [one["num"] for one in found[0]["concepts"]]
    wanted = np.array([size for size in sizes if size]) ** 0.75
    targets = [one["target_share"] for one in found[0]["concepts"] if one["num"]]
    assert targets == pytest.approx(list(wanted / wanted.sum()))
    for one in found[1]["concepts"]:
        assert (
            one["share"] == pytest.approx(one["resampled_share"])
            if one["num"]
            else one["share"] is None
        )


def test_the_clips_behind_several_concepts_are_theirs():
    found = concept_map(made_board(), SubsetQuery(subset="256p"))["concepts"]
    chosen = [one for one in found if one["num"]][3:6]
    ids = tuple(one["concept_id"] for one in chosen)
    page = clips(made_board(), PageQuery(subset="256p", verdict="kept", concept=ids, size=200))
    wanted = {
        row["clip_id"] for row in kept_of(made_workspace(), "256p") if row["concept_id"] in ids
    }
    assert page["num"] == sum(one["num"] for one in chosen)
    assert {clip["clip_id"] for clip in page["clips"]} == wanted


def test_weights_of_a_recipe_that_is_gone_are_shown_all_the_same(tmp_path):
    workspace = Workspace(shutil.copytree(made_workspace().uri, tmp_path / "ws"))
    for path in (tmp_path / "ws" / "_recipes").iterdir():
        path.unlink()
    found = concept_map(ready(workspace, tmp_path), SubsetQuery(subset="256p"))
    assert (found["is_resampled"], found["is_weighed"], found["exponent"]) == (None, True, 0.5)


def test_a_workspace_without_concepts_has_none(tmp_path):
    found = concept_map(ready(small_workspace(), tmp_path), SubsetQuery(subset="256p"))
    assert found["concepts"] == []
    assert (found["num_clips"], found["num_grouped"], found["num_concepts"]) == (2, 0, 0)


def test_concepts_are_there_for_a_subset_that_keeps_nothing(tmp_path):
    workspace = Workspace(shutil.copytree(made_workspace().uri, tmp_path / "ws"))
    rows = workspace.table("selection").read()
    none = pc.equal(rows["subset"], "768p")
    rows = rows.set_column(
        rows.schema.get_field_index("status"),
        "status",
        pc.if_else(none, "rejected", rows["status"]),
    )
    with Run(workspace) as run:
        workspace.table("selection").replace(rows.cast(tables.SELECTION), run.metadata)
    found = concept_map(ready(workspace, tmp_path), SubsetQuery(subset="768p"))
    assert found["concepts"]
    assert all(one["num"] == 0 and one["share"] is None for one in found["concepts"])


def test_an_unknown_subset_is_refused():
    with pytest.raises(ValueError, match="no subset is called 'x'"):
        concept_map(made_board(), SubsetQuery(subset="x"))
