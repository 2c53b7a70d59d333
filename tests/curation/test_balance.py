"""Weights of a few clips, by their concepts and by quotas."""

import pyarrow as pa
import pytest

from curation import tables
from curation.balance import Kind, concept_inputs, kinds, weighed, with_sizes
from curation.concepts import ConceptSettings, group
from curation.quotas import Quota
from curation.resampling import ResamplingSettings
from tests.curation.test_subsets import clips, scores, told, verdicts, videos


def test_clips_are_weighed_by_their_concepts_and_the_concepts_say_what_became_of_them():
    rows = verdicts()
    ids, embeddings = concept_inputs([rows], scores(a=0, b=0, c=1, d=None))
    assert ids == ["a", "b", "c"]
    concepts = group(ids, embeddings, [], embeddings[:0], ConceptSettings(num_concepts=2))
    asked = dict.fromkeys(ids, Kind(landscape=True, people=False))
    found = weighed(rows, ids, concepts, asked, ResamplingSettings())
    weight = told(found, "weight")
    # 1 / sqrt(size): the clip that is alone weighs sqrt(2) times as much as one of the two.
    assert weight["c"] / weight["a"] == pytest.approx(2**0.5, rel=1e-3)
    assert weight["a"] == weight["b"] and weight["d"] == 1.0
    assert told(found, "concept_id") == {"a": 0, "b": 0, "c": 1, "d": None}
    table = with_sizes(concepts.table, {"256p": found}, "stamp")
    assert table.schema.equals(tables.CONCEPTS)
    sizes = [[(one["subset"], one["size"]) for one in row] for row in table["subsets"].to_pylist()]
    assert sizes == [[("256p", 2)], [("256p", 1)]]
    assert sum(one[0]["resampled_size"] for one in table["subsets"].to_pylist()) == pytest.approx(3)


def test_without_clips_there_is_nothing_to_weigh():
    rows = verdicts(a="x", b="x", c="x", d="x")
    ids, embeddings = concept_inputs([rows], scores(a=0))
    concepts = group(ids, embeddings, [], embeddings[:0], ConceptSettings())
    assert weighed(rows, ids, concepts, {}, ResamplingSettings()).equals(rows)
    assert with_sizes(concepts.table, {"256p": rows}, "stamp").num_rows == 0


def test_clips_with_people_are_those_that_a_model_sees_them_in():
    said = scores(a=0, b=0, c=0)
    seen = pa.array([0.9, 0.2, None], pa.float32())
    said = said.set_column(said.schema.get_field_index("people"), said.schema.field("people"), seen)
    found = kinds(clips(), videos(), said)
    assert {name: kind.people for name, kind in found.items()} == {
        "a": True, "b": False, "c": False, "d": False,
    }  # fmt: skip


def test_a_quota_for_people_is_met():
    rows = verdicts()
    ids, embeddings = concept_inputs([rows], scores(a=0, b=0, c=1, d=1))
    concepts = group(ids, embeddings, [], embeddings[:0], ConceptSettings(num_concepts=2))
    asked = {name: Kind(landscape=True, people=name in "ac") for name in ids}
    settings = ResamplingSettings(people=Quota(min=0.75))
    weight = told(weighed(rows, ids, concepts, asked, settings), "weight")
    assert (weight["a"] + weight["c"]) / sum(weight.values()) == pytest.approx(0.75, abs=1e-3)
