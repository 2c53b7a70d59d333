"""Copies are near, other pictures are not, and what is stored is what the network said."""

import functools
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest

from benchmarks.accuracy.rendering import texture
from curation.models.sscd import FILES, VERSIONS, CopyDetector, Variant, half_precision
from pipelines.asset_lock import read_lock

VARIANTS: tuple[Variant, ...] = ("distilled", "int8")


@pytest.fixture(scope="module")
def detector(model_weights: Path) -> CopyDetector:
    made = CopyDetector(model_weights)
    made.setup()
    return made


@functools.cache
def scene(seed: int) -> np.ndarray:
    return cv2.resize(texture(seed), (640, 426), interpolation=cv2.INTER_AREA)[..., ::-1].copy()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_copy_is_near_and_another_picture_is_not(variant: Variant, model_weights: Path) -> None:
    detector = CopyDetector(model_weights, variant)
    detector.setup()
    one, other = scene(1), scene(2)
    small = cv2.resize(one, (161, 91), interpolation=cv2.INTER_AREA)
    stored = cv2.imdecode(
        cv2.imencode(".jpg", one, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR
    )
    rows = detector([[one, small, stored, one[:360, :540]], [other]])
    embeddings = np.array(rows[0]["copy_embedding"])
    [stranger] = rows[1]["copy_embedding"]
    assert (embeddings @ embeddings[0]).min() > 0.8
    # Noise with shapes on it is alike to the network; footage differs more, see the benchmark.
    assert (embeddings @ stranger).max() < 0.75


def test_the_embedding_is_what_the_network_says_of_length_1(
    detector: CopyDetector, model_weights: Path
) -> None:
    import onnxruntime

    frame = scene(1)[:288, :288]
    path = model_weights / FILES["distilled"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    [[raw]] = session.run(None, {"image": frame[None]})
    [row] = detector([[frame]])
    [embedding] = row["copy_embedding"]
    np.testing.assert_allclose(embedding, raw, atol=1e-4)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-3)


def test_rows_fit_the_declared_columns_and_lose_nothing_as_half_floats(
    detector: CopyDetector,
) -> None:
    rows = detector([[scene(1), scene(1)[:33, :17]], [], [scene(1)[:1, :1]]])
    table = pa.Table.from_pylist(rows, CopyDetector.columns)
    stored = table["copy_embedding"].to_pylist()
    assert [None if one is None else np.shape(one) for one in stored] == [(2, 512), None, (1, 512)]
    assert np.array_equal(stored[0], half_precision(np.array(stored[0], np.float32)))
    lengths = np.linalg.norm(stored[0] + stored[2], axis=1)
    np.testing.assert_allclose(lengths, 1, atol=5e-4)


def test_batches_do_not_mix_frames_up(detector: CopyDetector) -> None:
    frames = [scene(1)[y : y + 99, 5 * y : 5 * y + 150] for y in range(0, 90, 9)]
    [together] = detector([frames])
    alone = [detector([[frame]])[0]["copy_embedding"][0] for frame in frames]
    np.testing.assert_allclose(together["copy_embedding"], alone, atol=2e-3)


def test_a_network_that_says_nan_is_refused(model_weights: Path) -> None:
    detector = CopyDetector(model_weights)
    detector._embedded = lambda batch: np.full((len(batch), 512), np.nan, np.float32)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="model sscd returned NaN or infinity for clip 1"):
        detector([[], [scene(1)]])


@pytest.mark.parametrize("variant", VARIANTS)
def test_missing_weights_say_which_file_and_what_to_do(variant: Variant, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"{FILES[variant]} is missing; `make setup`"):
        CopyDetector(tmp_path, variant).setup()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_version_names_the_locked_weights(variant: Variant, tmp_path: Path) -> None:
    locked = {asset.name: asset.sha256 for asset in read_lock().sets["models"]}
    assert locked[FILES[variant]][:12] == VERSIONS[variant].partition("-")[0]
    assert CopyDetector(tmp_path, variant).version == VERSIONS[variant]
