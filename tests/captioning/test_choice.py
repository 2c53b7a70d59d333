from collections import Counter

import pyarrow as pa
import pytest

from captioning.choice import assigned, chosen_captions
from curation.tables import CAPTIONS

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
