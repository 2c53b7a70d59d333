import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from curation.concepts import (
    CONCEPTS,
    ConceptSettings,
    default_num_concepts,
    draws,
    group,
    merged,
    names,
    nearest,
    positions,
    still_hold,
)

NO_LABELS = np.zeros((0, 16))


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def clips(num_clips, num_concepts=6, seed=0):
    """Ids, embeddings `[N, 16]` around far-apart directions, and which direction each is around."""
    random = np.random.default_rng(seed)
    truth = random.integers(num_concepts, size=num_clips)
    found = np.eye(16)[truth] + random.normal(0, 0.05, (num_clips, 16))
    return [f"clip-{number}" for number in range(num_clips)], found.astype(np.float32), truth


def grouped(ids, embeddings, earlier=None, **settings):
    return group(ids, embeddings, [], NO_LABELS, ConceptSettings(**settings), earlier)


def test_planted_groups_are_found_and_each_clip_has_its_nearest_centroid():
    ids, embeddings, truth = clips(300)
    found = grouped(ids, embeddings)
    assert found.table.schema.equals(CONCEPTS)
    assert len({*zip(found.ids, truth, strict=True)}) == found.table.num_rows == 6
    centroids = np.array(found.table["centroid"].to_pylist())
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-6)
    assert (found.ids == (unit(embeddings) @ centroids.T).argmax(axis=1)).all()


def test_concepts_are_numbered_from_the_largest_and_their_sizes_are_those_of_their_clips():
    ids, embeddings, _ = clips(300)
    found = grouped(ids, embeddings)
    sizes = np.bincount(found.ids)
    assert found.table["size"].to_pylist() == found.table["found_size"].to_pylist() == [*sizes]
    assert sizes.sum() == 300 and (np.diff(sizes) <= 0).all()
    assert found.table["concept_id"].to_pylist() == [*range(len(sizes))]


def test_only_the_direction_of_an_embedding_counts():
    ids, embeddings, _ = clips(200)
    lengths = np.random.default_rng(1).uniform(0.1, 10, (200, 1)).astype(np.float32)
    assert (grouped(ids, embeddings).ids == grouped(ids, embeddings * lengths).ids).all()


def test_the_order_of_the_clips_decides_nothing():
    ids, embeddings, _ = clips(300, num_concepts=12)
    found = grouped(ids, embeddings, num_concepts=40, sample_per_concept=3)
    order = np.random.default_rng(2).permutation(300)
    again = grouped([ids[row] for row in order], embeddings[order], None,
                    num_concepts=40, sample_per_concept=3)  # fmt: skip
    assert again.table.equals(found.table)
    assert (again.ids == found.ids[order]).all()


def test_the_seed_draws_another_sample():
    ids, embeddings, _ = clips(300, num_concepts=12)
    one, other = (
        grouped(ids, embeddings, num_concepts=20, sample_per_concept=2, seed=seed).table
        for seed in (0, 1)
    )
    assert not one["centroid"].equals(other["centroid"])


def test_more_clips_than_one_block_have_their_nearest_centroid():
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(70_000, 4)).astype(np.float32)
    centroids = unit(random.normal(size=(9, 4)))
    found = nearest(embeddings, centroids)
    assert found.dtype == np.int32
    cosines = unit(embeddings) @ centroids.T
    assert (cosines[np.arange(70_000), found] >= cosines.max(axis=1) - 1e-6).all()


def test_old_clips_keep_their_concept_when_some_are_added():
    ids, embeddings, _ = clips(404)
    first = grouped(ids[:400], embeddings[:400])
    more = grouped(ids, embeddings, first.table)
    assert (more.ids[:400] == first.ids).all()
    for column in ("centroid", "name", "x", "y", "found_size"):
        assert more.table[column].equals(first.table[column])
    assert more.table["size"].to_pylist() == [*np.bincount(more.ids)]


def test_concepts_are_found_anew_once_the_clips_have_grown_or_shrunk_too_much():
    ids, embeddings, _ = clips(100)
    first = grouped(ids, embeddings).table
    settings = ConceptSettings(regroup_growth=0.5)
    holding = [number for number in range(0, 300) if still_hold(first, number, settings)]
    assert holding == [*range(67, 151)]
    ids, embeddings, _ = clips(151, num_concepts=10)
    assert grouped(ids, embeddings, first).table["found_size"].to_pylist() == [
        *np.bincount(grouped(ids, embeddings).ids)
    ]


def test_an_earlier_concept_without_clips_stays_with_size_nothing():
    ids, embeddings, truth = clips(300)
    first = grouped(ids, embeddings).table
    left = np.flatnonzero(truth != 2)
    found = grouped([ids[row] for row in left], embeddings[left], first)
    assert sorted(found.table["size"].to_pylist())[0] == 0
    assert found.table.num_rows == first.num_rows


def test_earlier_concepts_of_another_width_are_refused():
    ids, embeddings, _ = clips(50)
    first = grouped(ids, embeddings).table
    with pytest.raises(ValueError, match="8 numbers, those of the earlier concepts 16"):
        group(ids, embeddings[:, :8] + 1, [], np.zeros((0, 8)), ConceptSettings(), first)


def test_near_identical_centroids_become_one_and_nothing_is_chained():
    degrees = np.radians([0, 20, 40, 90])
    centroids = np.column_stack([np.cos(degrees), np.sin(degrees)])
    found = merged(centroids, np.array([5, 3, 4, 1]), np.cos(np.radians(21)))
    # 0 and 40 are the largest; 20 is as near to both and joins one; 90 stays.
    assert len(found) == 3
    half = 5 * centroids[0] + 3 * centroids[1], 4 * centroids[2] + 3 * centroids[1]
    options = [unit(np.array([one])) for one in half]
    assert any(np.abs(found - option).sum(axis=1).min() < 1e-6 for option in options)


def test_a_concept_is_called_by_its_nearest_label_and_no_two_alike():
    labels = ["dog", "cat", "beach"]
    directions = np.eye(3)
    centroids = unit(np.array([[9, 1, 2.0], [9, 2, 1], [1, 2, 9], [9, 1, 3], [9, 1, 4]]))
    assert names(centroids, labels, directions) == [
        "dog", "dog, cat", "beach", "dog, beach", "dog, beach, cat",
    ]  # fmt: skip
    alike = names(np.ones((5, 3)), labels[:1], directions[:1])
    assert alike == ["dog", "dog 2", "dog 3", "dog 4", "dog 5"]
    assert names(centroids, [], np.zeros((0, 3)))[:2] == ["concept 0", "concept 1"]


def test_labels_name_the_concepts_of_a_group():
    ids, embeddings, truth = clips(200, num_concepts=3)
    labels = ["snow", "city", "forest"]
    found = group(ids, embeddings, labels, np.eye(16)[:3] * 7, ConceptSettings())
    called = np.array(found.table["name"].to_pylist())[found.ids]
    assert [*called] == [labels[number] for number in truth]


def test_the_map_keeps_the_distances_of_what_lies_in_a_plane():
    random = np.random.default_rng(3)
    flat = random.normal(size=(7, 2))
    basis = np.linalg.qr(random.normal(size=(16, 2)))[0]
    place = positions(flat @ basis.T)
    assert np.abs(place).max() == 1

    def distances(points):
        return np.linalg.norm(points[:, None] - points[None], axis=2)

    ratio = distances(place)[0, 1] / distances(flat)[0, 1]
    np.testing.assert_allclose(distances(place), ratio * distances(flat), atol=1e-5)


@pytest.mark.parametrize("num_concepts", [1, 2])
def test_a_map_of_one_or_two_concepts_is_a_point_or_a_line(num_concepts):
    place = positions(np.eye(4)[:num_concepts])
    assert np.isfinite(place).all() and (place[:, 1] == 0).all()
    assert np.abs(place).max() == num_concepts - 1


def test_no_clips_have_no_concepts():
    found = grouped([], np.zeros((0, 16), np.float32))
    assert found.table.equals(CONCEPTS.empty_table()) and found.ids.shape == (0,)


def test_one_clip_is_one_concept():
    ids, embeddings, _ = clips(1)
    found = grouped(ids, embeddings, num_concepts=50)
    assert found.ids.tolist() == [0] and found.table["size"].to_pylist() == [1]


def test_more_concepts_than_clips_are_one_per_clip():
    ids = ["a", "b", "c"]
    found = grouped(ids, np.eye(16)[:3], num_concepts=10)
    assert sorted(found.ids) == [0, 1, 2]


def test_clips_that_are_all_equal_are_one_concept():
    found = grouped([f"{n}" for n in range(50)], np.ones((50, 16), np.float32), num_concepts=8)
    assert set(found.ids) == {0} and found.table["size"].to_pylist() == [50]


def test_clusters_that_no_clip_is_nearest_to_are_no_concepts():
    embeddings = np.eye(16)[[0] * 20 + [1] * 20]
    ids = [f"clip-{number}" for number in range(40)]
    found = grouped(ids, embeddings, num_concepts=9, merge_cosine=1)
    sizes = found.table["size"].to_pylist()
    assert min(sizes) > 0 and sum(sizes) == 40
    assert np.isfinite(found.table["centroid"].to_pylist()).all()
    assert not {*found.ids[:20]} & {*found.ids[20:]}


@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "not finite"), (np.inf, "not finite"), (0, "all zeros")]
)
def test_an_embedding_without_a_direction_is_named(value, words):
    ids, embeddings, _ = clips(20)
    embeddings[7] = value
    with pytest.raises(ValueError, match=f"clip 'clip-7' is {words}"):
        grouped(ids, embeddings)
    with pytest.raises(ValueError, match=f"label 'snow' is {words}"):
        group(ids[:3], embeddings[:3], ["snow"], embeddings[7:8], ConceptSettings())


def test_shapes_that_do_not_fit_are_refused():
    ids, embeddings, _ = clips(20)
    with pytest.raises(ValueError, match="19 clips of 16 numbers"):
        grouped(ids[:19], embeddings)
    with pytest.raises(ValueError, match="1 labels of 16 numbers"):
        group(ids, embeddings, ["snow"], np.ones((1, 8)), ConceptSettings())


def test_the_rule_for_the_number_of_concepts():
    assert [default_num_concepts(n) for n in (0, 1, 3, 86, 1000, 10_000, 1_000_000)] == [
        1, 1, 1, 21, 100, 215, 1000,
    ]  # fmt: skip


def test_draws_depend_on_the_id_and_the_seed_alone():
    ids = [f"clip-{number}" for number in range(2000)]
    one = draws(ids, 0)
    assert (draws(ids[::-1], 0) == one[::-1]).all()
    assert not (draws(ids, 1) == one).any()
    assert abs((one / 2.0**64).mean() - 0.5) < 0.03
    assert draws([], 0).shape == (0,)


def test_settings_that_mean_nothing_are_refused():
    for wrong in ({"num_concepts": 0}, {"merge_cosine": 0}, {"unknown": 1}):
        with pytest.raises(ValidationError):
            ConceptSettings(**wrong)


def test_what_comes_out_can_be_stored_and_given_again():
    ids, embeddings, _ = clips(60)
    first = grouped(ids, embeddings)
    stored = pa.Table.from_pylist(first.table.to_pylist(), schema=CONCEPTS)
    assert grouped(ids, embeddings, stored).table.equals(first.table)
