import shutil

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.recipe import Recipe
from pipelines.selecting import select_all
from pipelines.workspace import Workspace
from tests.boards import made_workspace

RESAMPLED = {"resampling": {}}
SUBSETS = {
    "many": {"rules": {"motion_vmaf": {"min": 1}}, **RESAMPLED},
    "few": {"rules": {"motion_vmaf": {"min": 6}}, **RESAMPLED},
}


def recipe(subsets, **concepts):
    # No duplicates: what is made has no embeddings to find them by.
    settings = {"duplicates": None, "audit_share": 0.0, "concepts": {"num_concepts": 5, **concepts}}
    values = {"scores": {"concept": "conse"}, "selection": settings}
    return Recipe.model_validate({**values, "subsets": subsets})


def decided(workspace, wanted, only=()):
    tables = (workspace.table(name).read() for name in ("clips", "videos", "scores"))
    return select_all(wanted, workspace, *tables, only)


@pytest.fixture
def workspace(tmp_path):
    place = Workspace(tmp_path / "made")
    shutil.copytree(made_workspace().uri, place.uri)
    found = decided(place, recipe(SUBSETS))
    place.table("selection").replace(pa.concat_tables(found.verdicts.values()), {})
    place.table("concepts").replace(found.concepts, {})
    return place


def of_subset(workspace, name):
    rows = workspace.table("selection").read()
    return rows.filter(pc.equal(rows["subset"], name)).sort_by("clip_id")


def sizes(concepts, name):
    return [
        one["size"]
        for row in concepts["subsets"].to_pylist()
        for one in row
        if one["subset"] == name
    ]


def test_a_subset_is_decided_alone_and_the_others_stay(workspace):
    more = {**SUBSETS, "fewest": {"rules": {"motion_vmaf": {"min": 9}}}}
    # Rules of the others have changed too, which is not asked for.
    more["few"] = {"rules": {"motion_vmaf": {"min": 8}}}
    found = decided(workspace, recipe(more), only=["fewest"])
    assert set(found.verdicts) == {"fewest"}
    grouped = pc.count(found.verdicts["fewest"]["concept_id"]).as_py()
    assert 0 < grouped < 2000
    few = of_subset(workspace, "few")
    assert sum(sizes(found.concepts, "few")) == pc.count(few["concept_id"]).as_py()
    assert sum(sizes(found.concepts, "fewest")) == grouped


def test_where_concepts_are_found_anew_the_others_keep_their_verdicts_under_new_concepts(workspace):
    found = decided(workspace, recipe(SUBSETS, seed=1), only=["few"])
    assert set(found.verdicts) == {"few", "many"}
    many, before = found.verdicts["many"].sort_by("clip_id"), of_subset(workspace, "many")
    for column in ("clip_id", "status", "reason"):
        assert many[column].equals(before[column])
    assert not many["concept_id"].equals(before["concept_id"])
    weights = pc.filter(many["weight"], pc.is_valid(many["concept_id"]))
    assert pc.sum(weights).as_py() == pytest.approx(
        sum(
            one["resampled_size"]
            for row in found.concepts["subsets"].to_pylist()
            for one in row
            if one["subset"] == "many"
        )
    )


def test_a_subset_that_the_recipe_lacks_is_refused(workspace):
    with pytest.raises(ValueError, match="no subset 'none': many, few"):
        decided(workspace, recipe(SUBSETS), only=["none"])
