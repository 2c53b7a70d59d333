"""Which verdict on a caption holds, against a plain reading of the rule."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from curation.tables import CAPTION_REVIEWS, CAPTIONS
from curation.views import connect

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def verdicts(reviews: list[dict[str, Any]], captions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = {
        "caption_reviews": pa.Table.from_pylist(reviews, schema=CAPTION_REVIEWS),
        "captions": pa.Table.from_pylist(captions, schema=CAPTIONS),
    }
    with connect(rows) as connection:
        found = connection.sql("FROM caption_verdicts ORDER BY clip_id, captioner")
        answer: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
        return answer


def by_hand(reviews: list[dict[str, Any]], captions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    now = {(row["clip_id"], row["captioner"]): row["caption"] for row in captions}
    found = []
    for pair in sorted({(row["clip_id"], row["captioner"]) for row in reviews}):
        own = [row for row in reviews if (row["clip_id"], row["captioner"]) == pair]
        own.sort(key=lambda row: row["reviewed_at"])
        on_these = [row for row in own if row["reviewed"] == now.get(pair)]
        found.append((on_these or own)[-1] | {"holds": bool(on_these)})
    return found


@pytest.mark.parametrize("seed", range(6))
def test_the_last_verdict_on_the_present_words_holds(seed: int) -> None:
    chance = random.Random(seed)
    clips, captioners, texts = ["a", "b", "c", "d"], ["one", "two"], ["X.", "Y.", ""]
    reviews = []
    for place in range(60):
        verdict = chance.choice(["accept", "reject", "edit"])
        row = {
            "clip_id": chance.choice(clips[:3]),
            "captioner": chance.choice(captioners),
            "verdict": verdict,
            "caption": f"Edited {place}." if verdict == "edit" else None,
            "reviewed": chance.choice(texts),
            "note": None,
            "reviewer": chance.choice(["Ann", None]),
            "reviewed_at": NOW + timedelta(seconds=place),
        }
        reviews.append(row)
    chance.shuffle(reviews)
    captions = [
        {
            "clip_id": clip,
            "captioner": who,
            "caption": chance.choice([*texts, "Z."]),
            "status": "ok",
        }
        for clip in clips[1:]
        for who in captioners
    ]
    found = verdicts(reviews, captions)
    assert found == by_hand(reviews, captions)
    assert {row["holds"] for row in found} == {True, False}


def test_of_verdicts_of_one_moment_the_same_one_counts_in_any_order() -> None:
    row = {"clip_id": "a", "captioner": "one", "reviewed": "X.", "reviewed_at": NOW}
    said = [row | {"verdict": verdict} for verdict in ("accept", "reject")]
    first, second = verdicts(said, []), verdicts(said[::-1], [])
    assert first == second
    assert [found["verdict"] for found in first] == ["reject"]


def test_a_caption_that_failed_has_no_verdict_that_holds() -> None:
    row = {"clip_id": "a", "captioner": "one", "reviewed": "X.", "reviewed_at": NOW}
    failed = {"clip_id": "a", "captioner": "one", "caption": "X.", "status": "failed"}
    [found] = verdicts([row | {"verdict": "accept"}], [failed])
    assert found["holds"] is False
