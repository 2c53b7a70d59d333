"""On drawn things that ImageNet knows; the networks have tests of their own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.accuracy.drawings import DRAWINGS
from curation.models.conse import (
    LEMMAS,
    SYNSETS,
    TOP,
    Conse,
    embedded,
    keep_embeddings,
    kept_embeddings,
    label_names,
    unit,
)
from pipelines.asset_lock import read_lock


@pytest.fixture(scope="module")
def model(model_weights: Path) -> Conse:
    made = Conse(model_weights)
    made.setup()
    return made


def test_drawn_things_are_seen_and_their_names_found_by_meaning(model: Conse) -> None:
    rows = model([[draw()] for draw in DRAWINGS.values()])
    for name, row in zip(DRAWINGS, rows, strict=True):
        assert row["concept_labels"][0]["label"] == name
        assert len(row["concept_labels"]) == 5
    embeddings = np.array([row["concept_embedding"] for row in rows])
    texts = model.embed_text(["what is the time?", "a word puzzle", "sports", "an abacus"])
    assert (embeddings @ texts.T).argmax(axis=1).tolist() == [0, 1, 2, 3]
    assert np.abs(np.linalg.norm(texts, axis=1) - 1).max() < 1e-5
    assert np.abs(np.linalg.norm(embeddings, axis=1) - 1).max() < 1e-5


def test_a_clip_is_the_mean_of_its_frames(model: Conse) -> None:
    clock, puzzle, *_ = (draw() for draw in DRAWINGS.values())
    one, other, both, none, five = model([[clock], [puzzle], [clock, puzzle], [], [clock] * 5])
    assert none == {"concept_embedding": None, "concept_labels": None}
    means = unit(np.array(one["concept_embedding"]) + np.array(other["concept_embedding"]))
    np.testing.assert_allclose(both["concept_embedding"], means, atol=1e-4)
    halves = {one["concept_labels"][0]["label"], other["concept_labels"][0]["label"]}
    shown = {found["label"]: found["score"] for found in both["concept_labels"]}
    assert halves <= set(shown)
    best = one["concept_labels"][0]
    assert shown[best["label"]] == pytest.approx(best["score"] / 2, abs=0.05)
    np.testing.assert_allclose(five["concept_embedding"], one["concept_embedding"], atol=1e-4)
    scores = [found["score"] for found in both["concept_labels"]]
    assert scores == sorted(scores, reverse=True)
    pa.Table.from_pylist([one, none], Conse.columns)


def test_an_embedding_is_the_sum_of_the_ten_likeliest_labels() -> None:
    """ConSE's formula, written out label by label."""
    rng = np.random.default_rng(5)
    labels = unit(rng.standard_normal((40, 6), np.float32))
    probabilities = rng.dirichlet(np.full(40, 0.3), 7).astype(np.float32)
    for row, found in zip(probabilities, embedded(probabilities, labels), strict=True):
        expected = np.zeros(6)
        for label in sorted(range(40), key=lambda label: -row[label])[:TOP]:
            expected += row[label] * labels[label]
        np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


def test_every_class_has_a_name_of_its_own_and_every_name_a_place(model: Conse) -> None:
    names, embeddings = model.vocabulary()
    assert len(set(names)) == 1000
    assert names[0] == "tench"
    assert {"crane (bird)", "crane (machine)", "maillot (tights)"} < set(names)
    assert embeddings.shape == (1000, 384)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert np.abs(embeddings.mean(axis=0)).max() < 0.02, "what they share is taken off"


def test_names_and_texts_need_no_setup(model: Conse, model_weights: Path) -> None:
    fresh = Conse(model_weights)
    assert fresh.vocabulary()[0] == model.vocabulary()[0]
    np.testing.assert_array_equal(fresh.embed_text(["a dog"]), model.embed_text(["a dog"]))
    assert fresh.embed_text([]).shape == (0, 384)


def test_embeddings_are_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    made, path = np.eye(3, 2, dtype=np.float32), tmp_path / "labels.npy"
    assert kept_embeddings(path, (3, 2)) is None
    keep_embeddings(path, made)
    np.testing.assert_array_equal(kept_embeddings(path, (3, 2)), made)
    assert [one.name for one in tmp_path.iterdir()] == ["labels.npy"]
    assert kept_embeddings(path, (4, 2)) is None, "of other labels"
    path.write_bytes(path.read_bytes()[:-5])
    assert kept_embeddings(path, (3, 2)) is None, "cut off"
    keep_embeddings(tmp_path / "no folder" / "labels.npy", made)
    keep_embeddings(path, made * np.nan)
    assert kept_embeddings(path, (3, 2)) is None


def test_a_network_that_says_nan_is_refused(model: Conse, model_weights: Path) -> None:
    broken = Conse(model_weights)
    broken.setup()
    answer: Callable[[np.ndarray], np.ndarray] = lambda batch: np.full((len(batch), 1000), np.nan)  # noqa: E731
    broken._network = answer  # type: ignore[assignment]
    with pytest.raises(ValueError, match="model conse returned NaN or infinity for clip 0"):
        broken([[np.zeros((9, 9, 3), np.uint8)]])


def test_missing_files_are_named_with_what_to_do(tmp_path: Path, model_weights: Path) -> None:
    with pytest.raises(ValueError, match="is missing; `make setup` fetches it"):
        Conse(tmp_path).setup()
    with pytest.raises(ValueError, match=rf"{SYNSETS} is missing; `make setup`"):
        Conse(tmp_path).vocabulary()
    (tmp_path / SYNSETS).write_bytes((model_weights / SYNSETS).read_bytes())
    with pytest.raises(ValueError, match=rf"{LEMMAS} is missing; `make setup`"):
        label_names(tmp_path)


def test_the_version_names_the_locked_weights() -> None:
    locked = {asset.name: asset.sha256 for asset in read_lock().sets["models"]}
    network, texts, _ = Conse.version.split("-")
    assert locked["efficientnet-lite0.pth"].startswith(network)
    assert locked["minilm-l6-v2.safetensors"].startswith(texts)
