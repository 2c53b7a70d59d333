import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from captioning.choice import Reviews, assigned, chosen_captions, overruled
from curation.tables import CAPTION_REVIEWS, CAPTIONS, SHARD

IDS = pa.array([f"{number:05}-0-96" for number in range(4000)])


def owners(shares: dict[str, float], per_clip: int = 1) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, ids in assigned(IDS, shares, per_clip).items():
        for clip_id in ids.to_pylist():
            found.setdefault(clip_id, []).append(name)
    return found


def table(name: str, *rows: dict[str, object]) -> dict[str, pa.Table]:
    made = [
        {"captioner": name, "status": "ok", "flags": [], "caption": f"By {name}.", **row}
        for row in rows
    ]
    return {f"captions/{name}": pa.Table.from_pylist(made, schema=CAPTIONS)}


def test_each_captioner_gets_its_share_and_every_clip_one_captioner() -> None:
    found = owners({"small": 0.7, "large": 0.3})
    assert len(found) == len(IDS)
    counts = Counter(name for [name] in found.values())
    assert counts["small"] / len(IDS) == pytest.approx(0.7, abs=0.02)


def test_shares_are_what_they_are_to_each_other() -> None:
    assert owners({"a": 7, "b": 3}) == owners({"a": 0.7, "b": 0.3})
    assert owners({"b": 3, "a": 7}) == owners({"a": 7, "b": 3})


def test_a_captioner_that_is_added_takes_its_share_and_moves_no_other_clip() -> None:
    before, after = owners({"a": 1, "b": 1}), owners({"a": 1, "b": 1, "c": 1})
    moved = [clip for clip in before if before[clip] != after[clip]]
    assert {after[clip][0] for clip in moved} == {"c"}
    assert len(moved) / len(IDS) == pytest.approx(1 / 3, abs=0.03)


def test_another_share_moves_only_what_it_has_to() -> None:
    before, after = owners({"a": 0.7, "b": 0.3}), owners({"a": 0.5, "b": 0.5})
    moved = [clip for clip in before if before[clip] != after[clip]]
    assert {before[clip][0] for clip in moved} == {"a"}
    assert len(moved) / len(IDS) == pytest.approx(0.2, abs=0.03)


def test_several_captions_per_clip_come_from_several_captioners() -> None:
    found = owners({"a": 0.6, "b": 0.3, "c": 0.1}, per_clip=2)
    assert {len(set(names)) for names in found.values()} == {2}
    all_of_them = owners({"a": 1, "b": 1}, per_clip=5)
    assert {tuple(sorted(names)) for names in all_of_them.values()} == {("a", "b")}


def test_a_captioner_without_a_share_gets_nothing() -> None:
    assert list(assigned(IDS, {"a": 1, "b": 0}, 2)) == ["a"]
    assert assigned(IDS, {}, 1) == {}
    assert [len(ids) for ids in assigned(IDS[:0], {"a": 1}, 1).values()] == [0]


def test_the_caption_of_the_clips_own_share_is_the_one_that_is_taken() -> None:
    """Who has all captioners caption all clips trains on the same mix as who does not."""
    shares = {"small": 0.7, "large": 0.3}
    rows = [{"clip_id": clip_id} for clip_id in IDS.to_pylist()]
    captions = table("small", *rows) | table("large", *rows)
    taken = chosen_captions(captions, shares, [], 0.9)
    by = dict(zip(taken["clip_id"].to_pylist(), taken["captioner"].to_pylist(), strict=True))
    assert by == {clip_id: name for clip_id, [name] in owners(shares).items()}


def test_a_refused_caption_gives_way_to_another_and_without_one_the_clip_has_none() -> None:
    captions = table("a", {"clip_id": "one", "flags": ["repeats"]}, {"clip_id": "two"})
    captions |= table("b", {"clip_id": "one"}, {"clip_id": "three", "flags": ["repeats"]})
    taken = chosen_captions(captions, {"a": 1, "b": 1}, ["repeats"], 0.9).to_pylist()
    found = [(row["clip_id"], row["captioner"], row["caption_refused"]) for row in taken]
    assert found == [("one", "b", False), ("three", None, True), ("two", "a", False)]
    all_of_them = chosen_captions(captions, {"a": 1, "b": 1}, [], 0.9)
    assert all_of_them["caption_refused"].to_pylist() == [False] * 3


def test_a_clip_without_a_caption_waits_and_one_of_a_captioner_without_weight_is_refused() -> None:
    failed = {"clip_id": "one", "status": "failed", "caption": None, "flags": None}
    empty = {"clip_id": "two", "caption": "", "flags": ["empty"]}
    captions = table("a", failed, empty)
    assert chosen_captions(captions, {"a": 1}, [], 0.9).num_rows == 0
    assert chosen_captions({}, {"a": 1}, [], 0.9).num_rows == 0
    captions |= table("b", {"clip_id": "one"})
    for weights in ({"a": 1}, {"a": 1, "b": 0}):
        [row] = chosen_captions(captions, weights, [], 0.9).to_pylist()
        assert (row["clip_id"], row["caption"], row["caption_refused"]) == ("one", None, True)


def test_only_a_sure_camera_stands_before_the_caption() -> None:
    captions = table(
        "a",
        {"clip_id": "sure", "camera": "pan right", "camera_confidence": 0.9},
        {"clip_id": "unsure", "camera": "pan right", "camera_confidence": 0.89},
        {"clip_id": "image"},
    )
    taken = chosen_captions(captions, {"a": 1}, [], 0.9).to_pylist()
    prefixes = {row["clip_id"]: row["camera_prefix"] for row in taken}
    assert prefixes == {"sure": "Pan right.", "unsure": None, "image": None}


def said(*rows: dict[str, Any]) -> pa.Table:
    """Verdicts, each later than the one before."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    made = [
        {"captioner": "a", "reviewed": "By a.", "reviewed_at": start + timedelta(hours=hour), **row}
        for hour, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(made, schema=CAPTION_REVIEWS)


def texts(
    captions: dict[str, pa.Table], verdicts: pa.Table, reviews: Reviews | None
) -> dict[str, str | None]:
    rows = captions | {"caption_reviews": verdicts}
    found = chosen_captions(rows, {"a": 1, "b": 1}, ["repeats"], 0.9, reviews).to_pylist()
    return {row["clip_id"]: row["caption"] for row in found}


def test_what_people_said_decides_which_caption_is_taken_and_with_which_words() -> None:
    names = ("rejected", "accepted", "edited", "unjudged", "flagged")
    flags = {"accepted": ["repeats"], "edited": ["repeats"], "flagged": ["repeats"]}
    captions = table("a", *({"clip_id": name, "flags": flags.get(name, [])} for name in names))
    verdicts = said(
        {"clip_id": "rejected", "verdict": "reject"},
        {"clip_id": "accepted", "verdict": "accept"},
        {"clip_id": "edited", "verdict": "edit", "caption": "By hand."},
        {"clip_id": "unjudged", "verdict": "reject", "reviewed": "By an earlier a."},
    )
    applied = {"rejected": None, "accepted": "By a.", "edited": "By hand."}
    assert texts(captions, verdicts, "apply") == applied | {"unjudged": "By a.", "flagged": None}
    assert texts(captions, verdicts, "required") == applied | {"unjudged": None, "flagged": None}
    ignored = {name: None if flags.get(name) else "By a." for name in names}
    assert texts(captions, verdicts, None) == ignored
    rows = captions | {"caption_reviews": verdicts}
    found = chosen_captions(rows, {"a": 1}, ["repeats"], 0.9, "apply").to_pylist()
    by_id = {row["clip_id"]: row for row in found}
    assert by_id["edited"]["prompt_version"] == "edited"
    assert by_id["edited"]["caption_flags"] == by_id["accepted"]["caption_flags"] == []
    judged = {row["clip_id"] for row in found if row["caption_judged"]}
    assert judged == {"accepted", "edited"}
    assert {row["clip_id"] for row in found if row["caption_refused"]} == {"rejected", "flagged"}


def test_a_rejected_caption_gives_way_to_that_of_another_captioner() -> None:
    captions = table("a", {"clip_id": "one"}) | table("b", {"clip_id": "one"})
    of_a = {"clip_id": "one", "verdict": "reject"}
    of_b = of_a | {"captioner": "b", "reviewed": "By b."}
    assert texts(captions, said(of_a), "apply") == {"one": "By b."}
    assert texts(captions, said(of_b), "apply") == {"one": "By a."}
    assert texts(captions, said(of_a, of_b), "apply") == {"one": None}
    later = of_a | {"verdict": "accept"}
    assert texts(captions, said(of_a, of_b, later), "apply") == {"one": "By a."}


def test_what_a_person_wrote_stands_in_for_a_caption_that_is_empty() -> None:
    captions = table("a", {"clip_id": "one", "caption": "", "flags": ["empty"]})
    edit = {"clip_id": "one", "verdict": "edit", "caption": "By hand.", "reviewed": ""}
    assert texts(captions, said(edit), "apply") == {"one": "By hand."}
    assert texts(captions, said(edit | {"verdict": "accept", "caption": None}), "apply") == {}


def stands(caption: str, verdicts: list[dict[str, Any]], reviews: Reviews) -> bool:
    """Whether a sample may keep this caption, read off the verdicts one after the other."""
    last = {row["reviewed"]: row for row in verdicts}
    if caption in last:
        return bool(last[caption]["verdict"] == "accept")
    if caption in [row["caption"] for row in last.values()]:
        return True
    written = [row["caption"] for row in verdicts]
    return caption not in written and reviews == "apply"


@pytest.mark.parametrize("seed", range(5))
def test_samples_are_overruled_by_what_was_said_of_the_words_that_they_carry(seed: int) -> None:
    chance = random.Random(seed)
    carried = ["By a.", "By an earlier a.", "By hand.", "By another hand.", "Never seen."]
    said_of: dict[str, list[dict[str, Any]]] = {}
    samples = []
    for number in range(60):
        name = f"{number:02}"
        said_of[name] = []
        for _ in range(chance.randrange(4)):
            verdict = chance.choice(["accept", "reject", "edit"])
            text = chance.choice(carried[2:4]) if verdict == "edit" else None
            row = {"clip_id": name, "verdict": verdict, "caption": text}
            said_of[name].append(row | {"reviewed": chance.choice(carried[:2])})
        row = {"clip_id": name, "captioner": "a", "status": "ok", "caption": chance.choice(carried)}
        samples.append(row)
    there = pa.Table.from_pylist(samples, schema=SHARD)
    verdicts = said(*(row for rows in said_of.values() for row in rows))
    modes: tuple[Reviews, ...] = ("apply", "required")
    for reviews in modes:
        expected = [
            row["clip_id"]
            for row in samples
            if not stands(row["caption"], said_of[row["clip_id"]], reviews)
        ]
        assert overruled(there, verdicts, reviews).to_pylist() == expected
    assert overruled(there, verdicts, None).to_pylist() == []


def test_without_verdicts_samples_are_overruled_only_where_verdicts_are_required() -> None:
    rows = [
        {"clip_id": "one", "status": "ok", "caption": "By a.", "captioner": "a"},
        {"clip_id": "two", "status": "ok"},
        {"clip_id": "three", "status": "rejected"},
    ]
    there = pa.Table.from_pylist(rows, schema=SHARD)
    assert overruled(there, said(), "apply").to_pylist() == []
    assert overruled(there, said(), "required").to_pylist() == ["one"]
