"""Retrieval equals faiss's exact search, whatever the order of the clips."""

import faiss
import numpy as np
import pytest

from curation.retrieval import RETRIEVED, RetrievalSettings, Seed, read_seeds, retrieve


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def made(num, dimension=48, seed=0):
    """Clips in a random order, so that rows are not in the order of ids."""
    random = np.random.default_rng(seed)
    ids = [f"{number:04d}-0-10" for number in random.permutation(num)]
    return ids, unit(random.normal(size=(num, dimension)))


PHRASES = ["a person running", "baking", "zooming in"]


def phrase_embeddings(dimension=48):
    return unit(np.random.default_rng(9).normal(size=(len(PHRASES), dimension)))


def rows(table, source):
    found = {phrase: [] for phrase in PHRASES}
    for row in table.to_pylist():
        if row["source"] == source:
            found[row["phrase"]].append((row["clip_id"], row["rank"], row["cosine"]))
    return found


def nearest(embeddings, queries, k):
    index = faiss.IndexFlatIP(embeddings.shape[1])
    index.add(embeddings)
    return index.search(queries, k)


def test_the_nearest_to_each_phrase_are_those_of_an_exact_search():
    ids, embeddings = made(500)
    settings = RetrievalSettings(k_text=20, k_video=0)
    table = retrieve(ids, embeddings, PHRASES, phrase_embeddings(), [], settings)
    assert table.schema.equals(RETRIEVED)
    assert table.num_rows == 60
    cosines, places = nearest(embeddings, phrase_embeddings(), 20)
    for phrase, of_phrase, place in zip(PHRASES, cosines, places, strict=True):
        found = rows(table, "text")[phrase]
        assert [clip for clip, _, _ in found] == [ids[row] for row in place]
        assert [rank for _, rank, _ in found] == list(range(1, 21))
        assert [cosine for *_, cosine in found] == pytest.approx(of_phrase, abs=1e-6)


def test_around_seeds_a_clip_counts_once_with_the_nearest_seed():
    ids, embeddings = made(200)
    embeddings[1] = unit(embeddings[None, 0] + 0.1 * embeddings[None, 5])[0]  # seeds that overlap
    seeds = [Seed("baking", ids[0]), Seed("baking", ids[1]), Seed("zooming in", ids[2])]
    settings = RetrievalSettings(k_text=0, k_video=10)
    table = retrieve(ids, embeddings, PHRASES, phrase_embeddings(), seeds, settings)
    cosines, places = nearest(embeddings, embeddings[:3], 10)
    best = {}
    for cosine, place in zip(cosines[:2].ravel(), places[:2].ravel(), strict=True):
        best[ids[place]] = max(best.get(ids[place], -1), cosine)
    found = rows(table, "seed")
    assert {clip: cosine for clip, _, cosine in found["baking"]} == pytest.approx(best, abs=1e-6)
    of_baking = [cosine for *_, cosine in found["baking"]]
    assert of_baking == sorted(of_baking, reverse=True)
    assert [clip for clip, *_ in found["zooming in"]] == [ids[row] for row in places[2]]
    assert found["zooming in"][0][0] == ids[2]
    assert found["a person running"] == []


def test_the_order_of_the_clips_changes_nothing_even_where_all_are_equal():
    ids, embeddings = made(301)
    embeddings[50:] = embeddings[50]
    seeds = [Seed("baking", ids[60])]
    settings = RetrievalSettings(k_text=70, k_video=30)
    first = retrieve(ids, embeddings, PHRASES, phrase_embeddings(), seeds, settings)
    order = np.random.default_rng(1).permutation(len(ids))
    shuffled = [ids[row] for row in order]
    again = retrieve(shuffled, embeddings[order], PHRASES, phrase_embeddings(), seeds, settings)
    assert again.equals(first)
    tied = [clip for clip, _, cosine in rows(first, "seed")["baking"]]
    assert tied == sorted(ids[50:])[:30]


def test_k_beyond_the_clips_takes_all_and_no_clips_give_no_rows():
    ids, embeddings = made(4)
    settings = RetrievalSettings(k_text=100, k_video=100)
    seeds = [Seed("baking", ids[0])]
    table = retrieve(ids, embeddings, PHRASES, phrase_embeddings(), seeds, settings)
    assert table.num_rows == 4 * len(PHRASES) + 4
    nothing = np.empty((0, 48), np.float32)
    assert retrieve([], nothing, PHRASES, phrase_embeddings(), [], settings).num_rows == 0
    assert retrieve(ids, embeddings, [], nothing, [], settings).num_rows == 0


def test_what_is_not_eligible_may_be_a_seed_and_is_never_retrieved():
    ids, embeddings = made(50)
    eligible = np.arange(50) >= 25
    settings = RetrievalSettings(k_text=5, k_video=5)
    seeds = [Seed("baking", ids[3])]
    table = retrieve(ids, embeddings, PHRASES, phrase_embeddings(), seeds, settings, eligible)
    assert table.num_rows == 20
    assert set(table["clip_id"].to_pylist()) <= set(ids[25:])
    without = retrieve(ids[25:], embeddings[25:], PHRASES, phrase_embeddings(), [], settings)
    assert rows(without, "text") == rows(table, "text")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": [Seed("bakin", "0000-0-10")]}, "'bakin' is no phrase"),
        ({"seeds": [Seed("baking", "nonsense")]}, "nonsense, is no clip"),
        ({"phrases": [*PHRASES[:2], "baking"]}, "given twice"),
        ({"clip_ids": ["a"] * 10}, "given twice"),
        ({"phrases": PHRASES[:2]}, "one per phrase"),
        ({"phrase_embeddings": phrase_embeddings(8)}, "48 numbers, those of phrases 8"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, message):
    ids, embeddings = made(10)
    usual = {
        "clip_ids": ids,
        "embeddings": embeddings,
        "phrases": PHRASES,
        "phrase_embeddings": phrase_embeddings(),
        "seeds": [],
        "settings": RetrievalSettings(),
    }
    with pytest.raises(ValueError, match=message):
        retrieve(**(usual | change))


def test_seeds_are_read_in_their_order(tmp_path):
    path = tmp_path / "seeds.csv"
    path.write_text('\ufeffclip_id,phrase\n1-0-10,"baking, slowly"\n\n2-0-10, baking\n')
    assert read_seeds(path) == [Seed("baking, slowly", "1-0-10"), Seed("baking", "2-0-10")]


def test_of_a_review_file_the_kept_clips_are_seeds(tmp_path):
    path = tmp_path / "review.csv"
    path.write_text(
        "clip_id,subset,verdict,phrase\n1,sft,keep,baking\n2,sft,,baking\n3,sft,drop,\n"
    )
    assert read_seeds(path) == [Seed("baking", "1")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"phrase,clip\nbaking,1\n", "should have the columns phrase,clip_id"),
        (b"", "should have the columns"),
        (b"phrase,clip_id\nbaking,\n", "line 2: one phrase and one clip_id"),
        (b"phrase,clip_id\nbaking,1\nbaking,1,2\n", "line 3: one phrase"),
        (b"phrase,clip_id\nbaking,1\nbaking,1\n", "line 3: repeats"),
        (b"phrase,clip_id,verdict\nbaking,1,drop\n", "no seed"),
        (b"phrase,clip_id\nb\xffking,1\n", "UTF-8"),
    ],
)
def test_a_bad_file_of_seeds_is_named_with_the_line(content, message, tmp_path):
    path = tmp_path / "seeds.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_seeds(path)


def test_a_missing_file_of_seeds_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.csv cannot be read"):
        read_seeds(tmp_path / "none.csv")
