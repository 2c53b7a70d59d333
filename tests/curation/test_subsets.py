"""Duplicates, reviews and weights on verdicts of a few clips."""

import numpy as np
import pyarrow as pa
import pytest

from curation import tables
from curation.clip_frames import ClipFrames
from curation.concepts import ConceptSettings, group
from curation.duplicates import DuplicateSettings
from curation.embedded_clips import EmbeddedClips
from curation.resampling import ResamplingSettings
from curation.review import DROPPED, MISSING
from curation.selection import SelectionSettings
from curation.subsets import concept_inputs, reviewed, weighed, with_sizes, without_duplicates

SETTINGS = SelectionSettings(duplicates=DuplicateSettings(), audit_share=1.0)
CLIPS = ("a", "b", "c", "d")


def verdicts(**reasons):
    """A row per clip: kept, or rejected for the reason."""
    rows = [
        {
            "subset": "256p", "clip_id": name, "video_id": f"video-{name}",
            "status": "rejected" if reasons.get(name) else "ok", "reason": reasons.get(name),
            "audit": False, "weight": 1.0, "copies": 1, "fingerprint": "f",
        }
        for name in CLIPS
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=tables.SELECTION)


def videos(**small_side_px):
    rows = [
        {"video_id": f"video-{name}", "status": "ok", "min_side_px": small_side_px.get(name, 720)}
        for name in CLIPS
    ]
    return pa.Table.from_pylist(rows, schema=tables.VIDEOS)


def clips():
    rows = [{"video_id": f"video-{n}", "status": "ok", "clips": [{"clip_id": n}]} for n in CLIPS]
    return pa.Table.from_pylist(rows, schema=tables.CLIPS)


def scores(**directions):
    """Scores by clip: a unit vector along this axis for copies and concepts alike; None is none."""
    rows = []
    for name, axis in directions.items():
        unit = None if axis is None else np.eye(4)[axis].tolist()
        rows.append(
            {
                "clip_id": name, "video_id": f"video-{name}", "status": "ok",
                "copy_embedding": unit and [unit], "concept_embedding": unit,
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=tables.SCORES)


def told(found, column):
    return dict(zip(found["clip_id"].to_pylist(), found[column].to_pylist(), strict=True))


def test_of_duplicates_the_one_of_the_larger_video_is_kept_and_named():
    found = without_duplicates(
        verdicts(), SETTINGS, clips(), videos(c=1080), scores(a=0, b=1, c=0, d=2)
    )
    assert told(found, "reason") == {"a": "duplicate", "b": None, "c": None, "d": None}
    assert told(found, "duplicate_of")["a"] == "c"
    assert told(found, "cosine")["a"] == pytest.approx(1.0, abs=1e-3)
    assert found.schema.equals(tables.SELECTION)
    assert told(found, "audit") == {"a": True, "b": False, "c": False, "d": False}


def test_a_clip_that_the_rules_reject_is_no_reason_to_drop_another():
    found = without_duplicates(
        verdicts(a="frozen_share"), SETTINGS, clips(), videos(), scores(a=0, b=0, c=1, d=2)
    )
    assert told(found, "reason") == {"a": "frozen_share", "b": None, "c": None, "d": None}


def test_a_kept_clip_without_an_embedding_is_unscored_and_not_kept_unseen():
    found = without_duplicates(
        verdicts(), SETTINGS, clips(), videos(), scores(a=0, b=None, c=1)
    )  # d has no row of scores at all
    unscored = "duplicate:unscored"
    assert told(found, "reason") == {"a": None, "b": unscored, "c": None, "d": unscored}


def test_earlier_decisions_hold_when_clips_are_added():
    rows = scores(a=0, b=0, c=1, d=1)
    whole = without_duplicates(verdicts(), SETTINGS, clips(), videos(), rows)
    before = without_duplicates(
        verdicts(d="later"), SETTINGS, clips(), videos(), rows
    )  # d is not there yet
    grown = without_duplicates(verdicts(), SETTINGS, clips(), videos(), rows, earlier=before)
    assert grown.equals(whole)
    assert told(grown, "reason") == {"a": None, "b": "duplicate", "c": None, "d": "duplicate"}


def test_a_clip_near_one_of_a_block_list_is_dropped_for_it():
    known = EmbeddedClips(["old"], ["x"], np.eye(4, dtype=np.float32)[[1]], np.zeros(1, np.int64))
    assert ClipFrames(known.embeddings, known.clip_of, 1).count == 1
    found = without_duplicates(
        verdicts(), SETTINGS, clips(), videos(), scores(a=0, b=1, c=2, d=3), known=known
    )
    assert told(found, "duplicate_of") == {"a": None, "b": "old", "c": None, "d": None}


def test_a_reviewed_subset_keeps_what_people_kept_and_nothing_else():
    said = [
        {"subset": "256p", "clip_id": "a", "verdict": "keep"},
        {"subset": "256p", "clip_id": "b", "verdict": "drop"},
        {"subset": "sft", "clip_id": "c", "verdict": "keep"},
    ]
    reviews = pa.Table.from_pylist(said, schema=tables.REVIEWS)
    found = reviewed(verdicts(d="motion_vmaf"), SETTINGS, "256p", reviews)
    assert told(found, "reason") == {"a": None, "b": DROPPED, "c": MISSING, "d": "motion_vmaf"}


def test_clips_are_weighed_by_their_concepts_and_the_concepts_say_what_became_of_them():
    rows = verdicts()
    ids, embeddings = concept_inputs([rows], scores(a=0, b=0, c=1, d=None))
    assert ids == ["a", "b", "c"]
    concepts = group(ids, embeddings, [], embeddings[:0], ConceptSettings(num_concepts=2))
    wide = dict.fromkeys(ids, True)
    found = weighed(rows, ids, concepts, wide, ResamplingSettings())
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
