"""The quality index falls with each fault, and no fault is made good by another."""

import cv2
import numpy as np
import pytest

from curation.models.quality_index import (
    BRISQUE,
    COLOURFULNESS,
    CONTRAST,
    NOISE,
    SHARPNESS,
    noise,
    quality_index,
)
from tests.curation.models.test_quality import noisy, photograph

FAULTS = (BRISQUE, NOISE, SHARPNESS, CONTRAST, COLOURFULNESS)


def textured(height=180, width=320):
    """Smooth shading with an edge in every block."""
    shading = np.tile(np.linspace(60, 190, width), (height, 1))
    shading[::16] += 40
    return np.round(shading).astype(np.uint8)


@pytest.mark.parametrize("sigma", [2.0, 5.0, 12.0])
def test_noise_is_its_standard_deviation_whatever_the_picture_holds(sigma):
    grains = np.random.default_rng(0).normal(0, sigma, (180, 320))
    flat = np.full((180, 320), 128.0)
    for picture in (flat, textured()):
        found = noise(np.clip(np.round(picture + grains), 0, 255).astype(np.uint8))
        assert found == pytest.approx(sigma, rel=0.15)


def test_black_bars_do_not_hide_noise():
    bars = noisy(np.full((180, 320), 128, np.uint8), 6)
    bars[:60], bars[-60:] = 0, 0
    assert noise(bars) == pytest.approx(6, rel=0.15)


def test_a_clean_picture_and_a_tiny_one_have_no_noise():
    assert noise(textured()) < 1
    assert noise(np.full((5, 40), 9, np.uint8)) == 0


def test_the_index_is_the_product_of_what_each_fault_leaves():
    grey = np.full((180, 320, 3), 128, np.uint8)
    worst = 100 * (1 - SHARPNESS.share) * (1 - CONTRAST.share) * (1 - COLOURFULNESS.share)
    assert quality_index(grey, 0) == pytest.approx(worst)
    assert quality_index(grey, 1000) == pytest.approx(worst * (1 - BRISQUE.share))
    assert [fault(fault.none_at) for fault in FAULTS] == [1] * 5
    for fault in FAULTS:
        middle = fault((fault.none_at + fault.full_at) / 2)
        assert middle == pytest.approx(1 - fault.share / 2)


def test_it_stays_within_its_scale_for_any_picture():
    random = np.random.default_rng(1)
    for shape in [(1, 1), (3, 200), (360, 640)]:
        picture = random.integers(0, 256, (*shape, 3)).astype(np.uint8)
        for score in (-500.0, 40.0, 500.0):
            assert 0 <= quality_index(picture, score) <= 100


def test_at_one_brisque_blur_noise_and_low_contrast_lower_it_and_grey_a_little():
    clean = photograph()
    best = quality_index(clean, 20)
    faint = np.round(clean.mean() + 0.3 * (clean - clean.mean())).astype(np.uint8)
    for worse in (cv2.GaussianBlur(clean, (0, 0), 3), noisy(clean, 20), faint):
        assert quality_index(worse, 20) < 0.8 * best
    grey = cv2.cvtColor(cv2.cvtColor(clean, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert 0.75 * best < quality_index(grey, 20) < best
