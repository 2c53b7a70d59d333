"""Floors under the accuracy of borders and sharpness; see `benchmarks.accuracy.picture`."""

from pathlib import Path

from benchmarks.accuracy.picture import (
    border_errors,
    exposure_errors,
    sharpness_figures,
)
from benchmarks.accuracy.rendering import FPS, rendered, steady, texture


def test_borders_and_sharpness_hold_on_made_pictures(tmp_path: Path) -> None:
    videos = {"texture": list(rendered(texture(3), steady(pan=0.1)))[:: FPS // 2][:4]}
    borders = border_errors(videos, tmp_path)
    assert borders["border_misplaced_share"] == 0
    assert borders["false_border_share"] == 0
    assert borders["border_error_px_p95"] <= 2
    sharp = sharpness_figures(videos)
    assert sharp["blur_not_monotone_share"] == 0
    assert sharp["enlarging_not_monotone_share"] == 0


def test_exposure_and_colour_equal_known_values() -> None:
    assert max(exposure_errors().values()) < 0.01
