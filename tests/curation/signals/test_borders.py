"""Borders are found where they are, and nowhere else."""

import cv2
import numpy as np
import pytest

from curation.signals.borders import Rectangle, border_share, content_rectangle


def scene(seed: int, width: int = 320, height: int = 180) -> np.ndarray:
    """A picture with structure everywhere."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return cv2.normalize(smooth, None, 20, 230, cv2.NORM_MINMAX)


def barred(left: int, top: int, right: int, bottom: int, shade: int = 16) -> list[np.ndarray]:
    """Four frames of 320x180 with bars, noisy as after compression."""
    generator = np.random.default_rng(1)
    frames = []
    for seed in range(4):
        inside = scene(seed, 320 - left - right, 180 - top - bottom)
        frame = cv2.copyMakeBorder(
            inside, top, bottom, left, right, cv2.BORDER_CONSTANT, value=shade
        )
        noisy = frame + np.clip(generator.normal(0, 1.5, frame.shape), -6, 6)
        frames.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return frames


@pytest.mark.parametrize(
    "bars",
    [(0, 22, 0, 22), (60, 0, 60, 0), (30, 20, 30, 20), (0, 14, 40, 0), (4, 0, 0, 6)],
    ids=["letterbox", "pillarbox", "windowbox", "asymmetric", "thin"],
)
@pytest.mark.parametrize("shade", [0, 16, 120, 235])
def test_bars_are_found(bars: tuple[int, int, int, int], shade: int) -> None:
    left, top, right, bottom = bars
    found = content_rectangle(barred(*bars, shade))
    truth = Rectangle(left, top, 320 - left - right, 180 - top - bottom)
    np.testing.assert_allclose(found, truth, atol=2)


def test_a_whole_picture_has_no_border() -> None:
    frames = [scene(seed) for seed in range(4)]
    assert content_rectangle(frames) == (0, 0, 320, 180)
    assert border_share(content_rectangle(frames), 320, 180) == 0


def test_what_is_a_bar_in_one_frame_only_is_none() -> None:
    frames = [*barred(0, 22, 0, 22), scene(9)]
    assert content_rectangle(frames) == (0, 0, 320, 180)


def test_a_night_sky_is_no_border() -> None:
    frames = []
    for seed in range(4):
        frame = scene(seed)
        x = np.arange(320)
        skyline = (70 + 25 * np.sin(x / 23)).astype(int)
        frame[np.arange(180)[:, None] < skyline] = 16
        frames.append(frame)
    assert content_rectangle(frames) == (0, 0, 320, 180)


def test_black_frames_have_no_border() -> None:
    assert content_rectangle([np.full((180, 320), 16, np.uint8)] * 4) == (0, 0, 320, 180)


def test_a_logo_in_the_bar_does_not_hide_it() -> None:
    frames = barred(60, 0, 60, 0)
    for frame in frames:
        frame[6:20, 10:40] = 200
    np.testing.assert_allclose(content_rectangle(frames), (60, 0, 200, 180), atol=2)


def test_the_share_is_the_area_outside() -> None:
    assert border_share(Rectangle(10, 0, 80, 50), 100, 100) == pytest.approx(0.6)


@pytest.mark.parametrize("frames", [[], [np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)]])
def test_frames_of_no_common_shape_are_refused(frames: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="one shape"):
        content_rectangle(frames)
