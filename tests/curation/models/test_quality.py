"""BRISQUE equals the package that its weights come in, and answers to what spoils pictures."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.models.quality import (
    SVM_FILE,
    Brisque,
    Regression,
    brisque,
    brisque_features,
    generalised_gaussian,
    predicted,
    read_regression,
)
from curation.models.quality_index import quality_index
from pipelines.asset_lock import read_lock

REFERENCE = {
    (1, "clean"): 41.03318847352122,
    (1, "blurred"): 76.59567309939209,
    (1, "noisy"): 54.27974455534351,
    (1, "odd"): 42.32842089399375,
    (2, "clean"): 41.32530649816758,
    (2, "blurred"): 78.51542667862734,
    (2, "noisy"): 54.65428263986266,
    (2, "odd"): 39.74043638433181,
}
"""`BRISQUE(url=False).score(picture)` of `brisque==0.2.0`, in an environment of its own, made by
`pip install brisque==0.2.0 "numpy<2.4" opencv-python-headless==5.0.0.93`."""


@pytest.fixture(scope="module")
def regression(model_weights: Path) -> Regression:
    return read_regression(model_weights / SVM_FILE)


def picture(seed: int, height: int = 180, width: int = 240) -> np.ndarray:
    """Noise of all scales, RGB."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for scale in (1, 2, 4, 8, 16, 32):
        noise = cv2.GaussianBlur(rng.normal(size=total.shape), (0, 0), scale)
        total += noise / noise.std() * scale**0.5
    return np.round((total - total.min()) / np.ptp(total) * 255).astype(np.uint8)


def noisy(frame: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(9).normal(0, sigma, frame.shape)
    return np.clip(np.round(frame + noise), 0, 255).astype(np.uint8)


def made(seed: int, kind: str) -> np.ndarray:
    frame = picture(seed)
    if kind == "blurred":
        return cv2.GaussianBlur(frame, (0, 0), 2)
    if kind == "noisy":
        return noisy(frame, 15)
    return frame[:101, :153] if kind == "odd" else frame


@pytest.mark.parametrize("case", REFERENCE, ids=str)
def test_scores_equal_those_of_the_package(case: tuple[int, str], regression: Regression) -> None:
    assert brisque(made(*case), regression) == pytest.approx(REFERENCE[case], abs=2e-5)


def photograph() -> np.ndarray:
    """Clean by BRISQUE's measure: shapes with soft and hard edges over faint texture."""
    rng = np.random.default_rng(5)
    frame = picture(3, 360, 480) // 4 + 60
    for _ in range(120):
        x, y, across, down = (int(v) for v in rng.integers([0, 0, 8, 8], [480, 360, 80, 80]))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        cv2.ellipse(frame, (x, y), (across, down), 0, 0, 360, colour, -1, cv2.LINE_AA)
    return noisy(cv2.GaussianBlur(frame, (0, 0), 0.6), 2)


def test_blur_noise_and_compression_make_it_worse(regression: Regression) -> None:
    clean = photograph()
    blurred = [cv2.GaussianBlur(clean, (0, 0), sigma) for sigma in (1.5, 3, 5)]
    grainy = [noisy(clean, sigma) for sigma in (10, 25, 50)]
    packed = [
        cv2.imdecode(cv2.imencode(".jpg", clean, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)
        for quality in (30, 15, 7)
    ]
    for worse in (blurred, grainy, packed):
        scores = [brisque(frame, regression) for frame in (clean, *worse)]
        assert scores == sorted(scores), scores


def test_a_clip_has_the_median_of_its_frames_flat_ones_left_out(
    model_weights: Path, regression: Regression
) -> None:
    model = Brisque(model_weights)
    model.setup()
    frames = [made(1, "clean"), made(1, "noisy"), made(1, "blurred")]
    flat = np.full((90, 160, 3), 30, np.uint8)
    rows = model([[*frames, flat], [flat], [], [flat[:1, :1]]])
    scores = [brisque(frame, regression) for frame in frames]
    indices = [quality_index(frame, score) for frame, score in zip(frames, scores, strict=True)]
    assert rows[0] == {
        "quality_brisque": pytest.approx(REFERENCE[1, "noisy"], abs=1e-4),
        "quality_index": pytest.approx(sorted(indices)[1]),
    }
    assert rows[1:] == [{"quality_brisque": None, "quality_index": None}] * 3


def test_large_frames_are_judged_at_one_size(model_weights: Path, regression: Regression) -> None:
    model = Brisque(model_weights)
    model.setup()
    large = cv2.resize(picture(4), (1280, 720), interpolation=cv2.INTER_CUBIC)
    [row] = model([[large]])
    small = cv2.resize(large, (640, 360), interpolation=cv2.INTER_AREA)
    assert row["quality_brisque"] == pytest.approx(brisque(small, regression))


def test_nan_is_refused_with_the_place_of_the_clip(model_weights: Path) -> None:
    model = Brisque(model_weights)
    model.setup()
    model._regression = model._regression._replace(rho=math.nan)
    with pytest.raises(ValueError, match=r"brisque.*clip 1"):
        model([[], [picture(1)]])


def test_a_missing_file_or_another_kind_of_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"brisque-svm\.txt is missing.*make setup"):
        Brisque(tmp_path).setup()
    (tmp_path / SVM_FILE).write_text("svm_type c_svc\nkernel_type linear\nSV\n")
    with pytest.raises(ValueError, match="no epsilon SVR"):
        Brisque(tmp_path).setup()


def test_the_regression_is_a_sum_of_kernels(regression: Regression) -> None:
    assert regression.vectors.shape == (770, 36)
    features = np.linspace(-1, 1, 36)
    total = -regression.rho
    for weight, vector in zip(regression.weights, regression.vectors, strict=True):
        distance = sum((a - b) ** 2 for a, b in zip(vector, features, strict=True))
        total += weight * math.exp(-regression.gamma * distance)
    assert predicted(regression, features) == pytest.approx(total, abs=1e-9)


@settings(max_examples=25)
@given(st.floats(0.4, 4), st.floats(0.3, 3), st.floats(0.3, 3))
def test_the_shape_of_a_known_distribution_is_found(
    exponent: float, left: float, right: float
) -> None:
    # |x| / scale to the power of the exponent is gamma distributed.
    rng = np.random.default_rng(0)
    root = math.exp((math.lgamma(1 / exponent) - math.lgamma(3 / exponent)) / 2)
    size = rng.gamma(1 / exponent, size=100_000) ** (1 / exponent) * root
    is_left = rng.random(size.size) < left / (left + right)
    values = np.where(is_left, -left * size, right * size)
    shape = generalised_gaussian(values[None])
    assert shape is not None
    assert shape[0] == pytest.approx(exponent, rel=0.06)
    assert np.sqrt(shape[2:]) == pytest.approx([left, right], rel=0.06)
    assert shape[1] == pytest.approx(values.mean(), abs=0.03 * (left + right))


def test_flat_and_tiny_pictures_have_no_features() -> None:
    assert brisque_features(np.zeros((40, 40, 3), np.uint8)) is None
    assert brisque_features(picture(1)[:9]) is None


def test_the_version_names_the_weights() -> None:
    [asset] = [asset for asset in read_lock().sets["models"] if asset.name == SVM_FILE]
    assert asset.sha256[:12] in Brisque.version
    assert all(field.metadata[b"doc"] and field.nullable for field in Brisque.columns)
