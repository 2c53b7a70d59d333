"""Of clips that show the same, the best is kept: as a brute force comparison of all says."""

import math

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.clip_frames import ClipFrames
from curation.duplicates import DuplicateSettings, find_duplicates
from curation.embedded_clips import NONE, EmbeddedClips, chosen, joined
from curation.frame_index import FrameIndex
from curation.stars import KEEP, Decision

EXACT = DuplicateSettings(threshold=0.8, same_video_threshold=0.95)
Clips = tuple[EmbeddedClips, np.ndarray]
"""Clips and their qualities."""


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def made(seed: int, num: int, scenes: int, noise: float, size: int = 16) -> Clips:
    """Clips of one to four frames, each the noisy picture of a scene; qualities often tie.

    A quarter is of no known video, the others are of so few that many scenes are in one video.
    """
    random = np.random.default_rng(seed)
    frames = random.integers(1, 5, num)
    clip_of = np.repeat(np.arange(num), frames)
    scene = random.normal(size=(scenes, size))[random.integers(0, scenes, num)]
    rows = unit(scene[clip_of] + noise * random.normal(size=(len(clip_of), size)))
    ids = [f"clip-{name:03}" for name in random.permutation(num)]
    names = [None, "film", "trailer", "news"]
    videos = [names[video] for video in random.integers(0, 4, num)]
    return EmbeddedClips(ids, videos, rows, clip_of), random.integers(0, 4, num).astype(np.float32)


def unrelated(ids: list[str], rows: np.ndarray, clip_of: np.ndarray | None = None) -> EmbeddedClips:
    """Clips of no known video, of one frame each if not said otherwise."""
    return EmbeddedClips(
        ids, [None] * len(ids), rows, np.arange(len(ids)) if clip_of is None else clip_of
    )


def alike(one: np.ndarray, other: np.ndarray) -> float:
    cosine = one.astype(np.float64) @ other.T.astype(np.float64)
    means = []
    for best in (cosine.max(axis=1), cosine.max(axis=0)):
        counted = min(len(best), max(2, math.ceil(len(best) / 2)))
        means.append(float(np.mean(sorted(best, reverse=True)[:counted])))
    return min(means)


def brute_force(clips: Clips, known: EmbeddedClips = NONE) -> dict[str, Decision]:
    """The decisions by comparing every clip with every better one that is kept."""
    (ids, videos, rows, clip_of, _), quality = clips
    kept = [
        (name, video, known.embeddings[known.clip_of == place])
        for place, (name, video) in enumerate(zip(known.ids, known.videos, strict=True))
    ]
    result: dict[str, Decision] = {}
    for clip in sorted(range(len(ids)), key=lambda clip: (-quality[clip], ids[clip])):
        own, near = rows[clip_of == clip], []
        for name, video, other in kept:
            same = video is not None and video == videos[clip]
            found = alike(own, other)
            if found >= (EXACT.same_video_threshold if same else EXACT.threshold):
                near.append(Decision(name, found))
        result[ids[clip]] = near[0] if near else KEEP
        if not near:
            kept.append((ids[clip], videos[clip], own))
    return result


def check(clips: Clips, found: list[Decision], expected: dict[str, Decision]) -> None:
    ids = clips[0].ids
    assert [one.duplicate_of for one in found] == [expected[name].duplicate_of for name in ids]
    for one, name in zip(found, ids, strict=True):
        assert one.cosine == pytest.approx(expected[name].cosine, abs=1e-5)


def subset(clips: Clips, positions: np.ndarray) -> Clips:
    """The clips at these positions, in this order."""
    return chosen(clips[0], positions.tolist()), clips[1][positions]


many = given(
    seed=st.integers(0, 2**32 - 1),
    num=st.integers(1, 40),
    scenes=st.integers(1, 12),
    noise=st.sampled_from([0.1, 0.3, 0.5]),
)


@many
@settings(max_examples=60, deadline=None)
def test_decisions_are_those_of_brute_force(seed: int, num: int, scenes: int, noise: float) -> None:
    clips = made(seed, num, scenes, noise)
    check(clips, find_duplicates(*clips, EXACT), brute_force(clips))


@many
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_input_changes_nothing(
    seed: int, num: int, scenes: int, noise: float
) -> None:
    clips = made(seed, num, scenes, noise)
    mixed = subset(clips, np.random.default_rng(seed).permutation(num))
    found = dict(zip(clips[0].ids, find_duplicates(*clips, EXACT), strict=True))
    assert find_duplicates(*mixed, EXACT) == [found[name] for name in mixed[0].ids]


@many
@settings(max_examples=60, deadline=None)
def test_growing_gives_what_a_run_from_scratch_gives(
    seed: int, num: int, scenes: int, noise: float
) -> None:
    clips = made(seed, num, scenes, noise)
    random = np.random.default_rng(seed)
    old = subset(clips, np.flatnonzero(np.append(random.random(num - 1) < 0.7, True)))
    decided = dict(zip(old[0].ids, find_duplicates(*old, EXACT), strict=True))
    assert find_duplicates(*clips, EXACT, decided=decided) == find_duplicates(*clips, EXACT)
    # And back: when clips are gone, what they stood for is decided again.
    decided = dict(zip(clips[0].ids, find_duplicates(*clips, EXACT), strict=True))
    assert find_duplicates(*old, EXACT, decided=decided) == find_duplicates(*old, EXACT)


def test_many_clips_are_decided_as_few() -> None:
    """More than are looked up together."""
    clips = made(6, 600, 100, 0.3)
    expected = brute_force(clips)
    found = find_duplicates(*clips, EXACT)
    check(clips, found, expected)
    assert 60 < found.count(KEEP) < 540
    old = subset(clips, np.random.default_rng(0).permutation(600)[:400])
    decided = dict(zip(old[0].ids, find_duplicates(*old, EXACT), strict=True))
    assert find_duplicates(*clips, EXACT, decided=decided) == found


def test_growing_takes_over_what_no_new_clip_touches() -> None:
    clips, quality = made(1, 30, 10, 0.1)
    ids = clips.ids
    claimed = {name: Decision(ids[0], 0.75) if name != ids[0] else KEEP for name in ids}
    far = unit(np.linalg.svd(clips.embeddings)[2][-1:])
    assert np.abs(far @ clips.embeddings.T).max() < 0.8
    grown = joined([clips, unrelated(["new"], far)])
    found = find_duplicates(grown, np.append(quality, 9), EXACT, decided=claimed)
    assert found == [*(claimed[name] for name in ids), KEEP]


@many
@settings(max_examples=30, deadline=None)
def test_known_clips_come_before_all_and_are_left_alone(
    seed: int, num: int, scenes: int, noise: float
) -> None:
    clips = made(seed, num + 2, scenes, noise)
    known = subset(clips, np.arange(2))[0]._replace(ids=["known-0", "known-1"])
    rest = subset(clips, np.arange(2, num + 2))
    check(rest, find_duplicates(*rest, EXACT, known=known), brute_force(rest, known))


def test_a_known_clip_of_the_same_id_is_the_same_clip() -> None:
    rows = np.eye(4, dtype=np.float32)
    clips = unrelated(["a", "b", "c"], rows[:3])
    known = unrelated(["b", "z"], rows[[0, 3]])
    found = find_duplicates(clips, np.zeros(3), EXACT, known=known)
    assert found == [Decision("b", pytest.approx(1)), Decision("b", 1.0), KEEP]
    assert find_duplicates(clips, np.zeros(3), EXACT, known=clips) == [
        Decision(name, 1.0) for name in clips.ids
    ]


@pytest.mark.parametrize(
    ("videos", "cosine", "kept"),
    [
        (["film", "film"], 0.94, True),
        (["film", "film"], 0.96, False),
        (["film", "trailer"], 0.94, False),
        (["film", "trailer"], 0.79, True),
        (["film", None], 0.94, False),
        ([None, None], 0.94, False),
    ],
)
def test_clips_of_one_video_must_be_more_alike(
    videos: list[str | None], cosine: float, kept: bool
) -> None:
    rows = np.array([[1, 0], [cosine, (1 - cosine**2) ** 0.5]], np.float32)
    for known in (False, True):
        clips = EmbeddedClips(["a", "b"], videos, rows, np.arange(2))
        if known:
            earlier = chosen(clips, [0])
            found = find_duplicates(chosen(clips, [1]), np.zeros(1), EXACT, known=earlier)
        else:
            found = find_duplicates(clips, np.array([1, 0]), EXACT)
        assert (found[-1] == KEEP) is kept


@pytest.mark.parametrize("best", [0, 1, 2])
def test_a_chain_is_not_one_heap(best: int) -> None:
    """A is near B and B near C, but A is not near C."""
    angle = np.radians([0, 25, 50])
    rows = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    found = find_duplicates(unrelated(["a", "b", "c"], rows), np.arange(3) == best, EXACT)
    names = [one.duplicate_of for one in found]
    assert names == {0: [None, "a", None], 1: ["b", None, "b"], 2: [None, "c", None]}[best]


def test_a_title_card_in_common_makes_no_duplicates() -> None:
    frames = np.eye(7, dtype=np.float32)[[0, 1, 2, 3, 0, 4, 5, 6]]
    clip_of = np.repeat([0, 1], 4)
    pair = ClipFrames(frames, clip_of, 2).similarity(np.array([0]), np.array([1]))
    assert pair == pytest.approx(0.5)
    clips = unrelated(["a", "b"], frames, clip_of)
    assert find_duplicates(clips, np.zeros(2), DuplicateSettings()) == [KEEP, KEEP]


def test_a_copy_of_which_half_the_frames_find_their_match_is_found() -> None:
    frames = np.eye(6, dtype=np.float32)[[0, 1, 2, 3, 0, 1, 4, 5]]
    clips = unrelated(["a", "b"], frames, np.repeat([0, 1], 4))
    _, copy = find_duplicates(clips, np.array([1, 0]), DuplicateSettings())
    assert copy == Decision("a", pytest.approx(1))


def test_copies_sampled_at_other_times_are_found() -> None:
    """A slow pan whose copy starts half a frame later: no frame has its own time in the other."""
    angle = np.radians([0, 20, 40, 60, 10, 30, 50, 70])
    rows = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    clips = unrelated(["a", "b"], rows, np.repeat([0, 1], 4))
    _, copy = find_duplicates(clips, np.array([1, 0]), EXACT)
    assert copy.duplicate_of == "a"
    assert copy.cosine == pytest.approx(np.cos(np.radians(10)), abs=1e-6)


def test_half_precision_decides_the_same() -> None:
    clips, quality = made(3, 200, 40, 0.2, 512)
    stored = clips._replace(embeddings=clips.embeddings.astype(np.float16))
    half = find_duplicates(stored, quality, EXACT)
    full = find_duplicates(clips, quality, EXACT)
    assert [one.duplicate_of for one in half] == [one.duplicate_of for one in full]
    assert any(one.duplicate_of for one in half)


def test_the_approximate_search_finds_what_the_exact_one_finds() -> None:
    clips = made(4, 3000, 1500, 0.25, 64)
    exact = find_duplicates(*clips, EXACT)
    roughly = EXACT.model_copy(update={"exact_below": 100})
    approximate = find_duplicates(*clips, roughly)
    same = [
        one.duplicate_of == two.duplicate_of for one, two in zip(exact, approximate, strict=True)
    ]
    assert 0.2 < np.mean([one.duplicate_of is None for one in exact]) < 0.8
    assert np.mean(same) > 0.99
    assert find_duplicates(*clips, roughly) == approximate


def test_an_index_of_many_rows_is_approximate_and_one_of_few_is_not() -> None:
    rows = unit(np.random.default_rng(0).normal(size=(5000, 32)))
    found = {}
    for exact_below in (5000, 5001):
        index = FrameIndex(rows, 5000, exact_below=exact_below, threads=1, device="cpu")
        index.add(rows)
        hits = index.near(rows, 0.4)
        found[exact_below] = set(zip(hits.query.tolist(), hits.row.tolist(), strict=True))
    truth = set(zip(*(side.tolist() for side in np.nonzero(rows @ rows.T > 0.4)), strict=True))
    assert truth <= found[5001]
    assert 0.2 * len(truth) < len(truth & found[5000]) < len(truth)


def test_projected_rows_are_near_where_the_whole_ones_are() -> None:
    random = np.random.default_rng(0)
    rows = unit(random.normal(size=(2000, 512)))
    noise = unit(random.normal(size=rows.shape))
    copies = unit(rows + 0.8 * noise)  # a cosine of about 0.78
    index = FrameIndex(rows, 2000, exact_below=1, threads=1, device="cpu")
    index.add(rows)
    hits = index.near(copies, 0.6)
    assert not index.is_exact
    assert np.mean(np.isin(np.arange(2000), hits.query[hits.query == hits.row])) > 0.9
    assert np.mean(hits.query == hits.row) > 0.9


def test_one_frame_that_is_found_is_enough_for_an_approximate_search() -> None:
    random = np.random.default_rng(1)
    shown = unit(random.normal(size=(4000, 512)))
    # Each clip shows four moments; a copy has the same four with some noise.
    copied = unit(shown[:2000] + 0.8 * unit(random.normal(size=(2000, 512))))
    rows = np.concatenate([shown, copied])
    clip_of = np.arange(len(rows)) // 4
    clips = unrelated([f"{name:04}" for name in range(len(rows) // 4)], rows, clip_of)
    roughly = DuplicateSettings(exact_below=1, device="cpu")
    found = find_duplicates(clips, -np.arange(len(clips.ids)), roughly)
    assert np.mean([one.duplicate_of is not None for one in found[1000:]]) > 0.98
    assert not any(one.duplicate_of for one in found[:1000])


def test_a_heap_of_equal_clips_keeps_one() -> None:
    num = 3000
    rows = np.repeat(unit(np.ones((1, 16))), num * 3, axis=0)
    ids = [f"{name:04}" for name in range(num)]
    clips = unrelated(ids, rows, np.repeat(np.arange(num), 3))
    found = find_duplicates(clips, np.arange(num), EXACT)
    assert {one.duplicate_of for one in found[:-1]} == {"2999"}
    assert found[-1] == KEEP


def test_no_clip_and_one_clip() -> None:
    one = unrelated(["a"], unit(np.ones((1, 4))))
    other = one._replace(ids=["k"])
    assert find_duplicates(NONE, np.zeros(0), EXACT) == []
    assert find_duplicates(NONE, np.zeros(0), EXACT, known=other) == []
    assert find_duplicates(one, np.zeros(1), EXACT) == [KEEP]
    [found] = find_duplicates(one, np.zeros(1), EXACT, known=other)
    assert found.duplicate_of == "k"


def changed(row: int, value: float) -> np.ndarray:
    rows = np.eye(4, dtype=np.float32)[:3]
    rows[row, row] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "clip_of", "quality", "message"),
    [
        (changed(1, np.nan), [0, 1, 2], [0, 0, 0], "not finite, of: b$"),
        (changed(2, np.inf), [0, 1, 2], [0, 0, 0], "not finite, of: c$"),
        (changed(0, 1.1), [0, 1, 2], [0, 0, 0], "not of unit length, of: a$"),
        (changed(0, 0), [0, 1, 2], [0, 0, 0], "not of unit length, of: a$"),
        (changed(0, 1)[0], [0, 1, 2], [0, 0, 0], r"\[F, D\]"),
        (changed(0, 1).astype(np.float64), [0, 1, 2], [0, 0, 0], "float16 or float32"),
        (changed(0, 1), [0, 1], [0, 0, 0], "one integer per row"),
        (changed(0, 1), [0, 1, 3], [0, 0, 0], "outside 0 to 2"),
        (changed(0, 1), [0, 1, 1], [0, 0, 0], "without a frame embedding: c$"),
        (changed(0, 1), [0, 1, 2], [0, 0], "one finite number per clip"),
        (changed(0, 1), [0, 1, 2], [0, 0, np.nan], "one finite number per clip"),
    ],
)
def test_what_is_wrong_is_named(
    rows: np.ndarray, clip_of: list[int], quality: list[float], message: str
) -> None:
    clips = unrelated(["a", "b", "c"], rows, np.array(clip_of))
    with pytest.raises(ValueError, match=message):
        find_duplicates(clips, np.array(quality), EXACT)


def test_known_clips_must_fit() -> None:
    clips = unrelated(["a", "b", "c"], changed(0, 1))._replace(model="sscd:1")
    for known, message in (
        (unrelated(["k"], np.ones((1, 1), np.float32)), r"several lengths .* \[1, 4\]"),
        (unrelated(["k"], changed(0, 1)[:1])._replace(model="sscd:2"), "models .* sscd:1, sscd:2"),
        (unrelated(["k"], changed(0, 1)[:1] * 2), "not of unit length, of: k$"),
    ):
        with pytest.raises(ValueError, match=message):
            find_duplicates(clips, np.zeros(3), EXACT, known=known)


def test_ids_and_videos_are_one_per_clip() -> None:
    clips = unrelated(["a", "b", "a"], changed(0, 1))
    with pytest.raises(ValueError, match="not unique"):
        find_duplicates(clips, np.zeros(3), EXACT)
    with pytest.raises(ValueError, match="one per clip, 3, not 2"):
        find_duplicates(clips._replace(videos=["film", None]), np.zeros(3), EXACT)


@pytest.mark.skipif(faiss.get_num_gpus() > 0, reason="there is a GPU that faiss can use")
def test_a_gpu_that_is_not_there_is_missed_only_if_asked_for() -> None:
    clips = unrelated(["a"], unit(np.ones((1, 4))))
    with pytest.raises(ValueError, match="faiss finds no GPU"):
        find_duplicates(clips, np.zeros(1), DuplicateSettings(device="gpu"))
    assert find_duplicates(clips, np.zeros(1), DuplicateSettings(device="auto")) == [KEEP]


@pytest.mark.gpu
@pytest.mark.skipif(faiss.get_num_gpus() == 0, reason="no GPU that faiss can use")
def test_a_gpu_finds_the_same() -> None:
    clips = made(5, 500, 100, 0.2, 64)
    for exact_below in (100, 100_000):
        on = {
            device: DuplicateSettings(exact_below=exact_below, device=device)
            for device in ("cpu", "gpu")
        }
        assert find_duplicates(*clips, on["gpu"]) == find_duplicates(*clips, on["cpu"])
