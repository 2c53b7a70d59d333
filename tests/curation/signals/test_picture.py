"""Sharpness, exposure and colour of single pictures."""

import cv2
import numpy as np
import pytest

from curation.signals.picture import colourfulness, exposure, sharpness


def shapes(seed: int, height: int = 360, width: int = 640) -> np.ndarray:
    """Grey rectangles and ellipses with hard edges."""
    generator = np.random.default_rng(seed)
    picture = np.full((height, width), 120, np.uint8)
    for _ in range(80):
        x, y = (int(v) for v in generator.integers([0, 0], [width, height]))
        size = tuple(int(v) for v in generator.integers(10, 80, 2))
        shade = int(generator.integers(0, 256))
        if generator.random() < 0.5:
            cv2.rectangle(picture, (x, y), (x + size[0], y + size[1]), shade, -1)
        else:
            cv2.ellipse(picture, (x, y), size, 0, 0, 360, shade, -1)
    return picture


@pytest.mark.parametrize("seed", range(4))
def test_sharpness_falls_with_blur(seed: int) -> None:
    picture = shapes(seed)
    values = [sharpness(picture)]
    values += [sharpness(cv2.GaussianBlur(picture, (0, 0), sigma)) for sigma in (0.7, 1, 2, 4)]
    assert values[0] == 1
    assert all(np.diff(values) < 0)
    assert values[-1] < 0.2


def test_sharpness_falls_with_enlarging() -> None:
    picture = shapes(5)
    large = cv2.resize(picture, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    assert sharpness(large) < 0.6 * sharpness(picture)


def test_sharpness_hardly_depends_on_contrast() -> None:
    picture = cv2.GaussianBlur(shapes(6), (0, 0), 1.5)
    pale = (64 + picture / 2).astype(np.uint8)
    assert sharpness(pale) == pytest.approx(sharpness(picture), abs=0.15)


def test_a_blurred_background_does_not_hide_a_sharp_subject() -> None:
    picture = shapes(7)
    blurred = cv2.GaussianBlur(picture, (0, 0), 6)
    blurred[90:270, 160:480] = picture[90:270, 160:480]
    assert sharpness(blurred) > 0.9


def test_sharpness_looks_both_ways() -> None:
    stripes = np.tile(np.where(np.arange(640) // 32 % 2, 200, 40).astype(np.uint8), (360, 1))
    assert sharpness(stripes) == sharpness(np.ascontiguousarray(stripes.T)) == 1


@pytest.mark.parametrize("shape", [(360, 640), (6, 6), (1, 1)])
def test_an_empty_picture_has_no_detail(shape: tuple[int, int]) -> None:
    assert sharpness(np.full(shape, 90, np.uint8)) == 0


def test_exposure_knows_the_range_of_television() -> None:
    half = np.full((10, 10), 16, np.uint8)
    half[:5] = 235
    assert exposure(half, full_range=False) == pytest.approx((0.5, 0.5, 0.5, 0.5))
    assert exposure(half, full_range=True) == pytest.approx((251 / 510, 0, 0, 219 / 510), abs=1e-6)


def test_grey_has_no_colour() -> None:
    grey = np.repeat(shapes(8)[..., None], 3, axis=2)
    assert colourfulness(grey) == pytest.approx(0, abs=1e-3)


def test_colourfulness_equals_its_definition() -> None:
    picture = np.random.default_rng(9).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    blue, green, red = np.moveaxis(picture.astype(float), 2, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert colourfulness(picture) == pytest.approx(expected, rel=1e-4)
