"""Duplicates, reviews and weights on verdicts of a few clips."""

import numpy as np
import pyarrow as pa
import pytest

from curation import tables
from curation.clip_frames import ClipFrames
from curation.duplicates import DuplicateSettings
from curation.embedded_clips import EmbeddedClips
from curation.retrieval import RetrievalSettings
from curation.review import DROPPED, MISSING
from curation.selection import SelectionSettings
from curation.subsets import retrieved, reviewed, without_duplicates

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


def test_where_the_rules_leave_nothing_there_is_nothing_to_decide():
    rows = verdicts(**dict.fromkeys(CLIPS, "motion_vmaf"))
    assert without_duplicates(rows, SETTINGS, clips(), videos(), scores(a=0)).equals(rows)
    few = RetrievalSettings()
    assert retrieved(rows, SETTINGS, few, scores(a=0), PHRASES, TO_PHRASES).equals(rows)


PHRASES = ["running", "baking"]
TO_PHRASES = np.eye(4, dtype=np.float32)[:2]


def towards(**weights):
    """Scores by clip: a concept embedding in the plane of the two phrases; None is none."""
    rows = scores(**dict.fromkeys(weights)).to_pylist()
    for row, baking in zip(rows, weights.values(), strict=True):
        if baking is not None:
            direction = np.array([1 - baking, baking, 0, 0])
            row["concept_embedding"] = (direction / np.linalg.norm(direction)).tolist()
    return pa.Table.from_pylist(rows, schema=tables.SCORES)


def test_only_clips_near_a_phrase_are_kept_and_told_by_the_nearest():
    found = retrieved(
        verdicts(),
        SETTINGS,
        RetrievalSettings(k_text=1),
        towards(a=0.1, b=0.4, c=0.9, d=None),
        PHRASES,
        TO_PHRASES,
    )
    reasons = {"a": None, "b": "retrieval", "c": None, "d": "retrieval:unscored"}
    assert told(found, "reason") == reasons
    assert told(found, "phrase") == {"a": "running", "b": None, "c": "baking", "d": None}
    assert found.schema.equals(tables.SELECTION)


def test_with_seeds_only_clips_around_them_are_kept(tmp_path):
    seeds = tmp_path / "review.csv"
    seeds.write_text("clip_id,phrase,verdict\nc,baking,keep\na,running,drop\n")
    found = retrieved(
        verdicts(c="frozen_share"),
        SETTINGS,
        RetrievalSettings(k_text=5, k_video=1, seeds=seeds),
        towards(a=0.1, b=0.7, c=0.9, d=0.6),
        PHRASES,
        TO_PHRASES,
    )
    # A seed counts whether or not the subset keeps it.
    reasons = {"a": "retrieval", "b": None, "c": "frozen_share", "d": "retrieval"}
    assert told(found, "reason") == reasons
    assert told(found, "phrase")["b"] == "baking"


def test_what_no_phrase_retrieved_was_no_duplicate():
    rows = scores(a=0, b=0, c=1, d=2)
    whole = without_duplicates(verdicts(), SETTINGS, clips(), videos(), rows)
    near = towards(a=0.1, c=0.9, d=0.8)
    settings = RetrievalSettings(k_text=1)
    later = retrieved(whole, SETTINGS, settings, near, PHRASES, TO_PHRASES)
    assert told(later, "reason")["d"] == "retrieval"
    again = without_duplicates(verdicts(), SETTINGS, clips(), videos(), rows, earlier=later)
    assert again.equals(whole)
