"""VMAF motion equals FFmpeg's own filter."""

import re
import subprocess
from itertools import pairwise

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from curation.signals.vmaf_motion import (
    row_sampled_vmaf_motion,
    rows_for_both,
    sampled_rows,
    vmaf_motion,
)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """33 frames of a textured picture that drifts, with a flicker in one corner."""
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (400, 720), dtype=np.uint8)
    picture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    views = [picture[i : i + 360, 2 * i : 2 * i + 640].copy() for i in range(33)]
    for index, view in enumerate(views):
        view[:80, :80] = 255 * (index % 2)
    return np.stack(views)


def filter_values(frames: np.ndarray) -> list[float]:
    _, height, width = frames.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-i", "-"]
    measure = ["-vf", "vmafmotion=stats_file=-", "-f", "null", "-"]
    chroma = bytes([128]) * (width * height // 2)
    said = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *raw, *measure],
        input=b"".join(frame.tobytes() + chroma for frame in frames),
        capture_output=True,
        check=True,
    )
    return [float(value) for value in re.findall(rb"motion:([\d.]+)", said.stdout)]


def test_equals_the_filter_of_ffmpeg_on_every_pair(frames: np.ndarray) -> None:
    theirs = filter_values(frames)[1:]
    ours = [vmaf_motion(a, b) for a, b in pairwise(frames)]
    assert len(theirs) == 32
    assert min(theirs) > 1
    # The filter prints two decimals and rounds down in both passes.
    np.testing.assert_allclose(ours, theirs, atol=0.015)


def test_row_samples_have_the_mean_of_the_whole(frames: np.ndarray) -> None:
    exact, sampled = [], []
    for pair, (before, now) in enumerate(pairwise(frames)):
        exact.append(vmaf_motion(before, now))
        sampled.append(row_sampled_vmaf_motion(before, now, pair))
    assert np.mean(sampled) == pytest.approx(np.mean(exact), rel=0.03)
    assert np.ptp(sampled) > np.ptp(exact)  # it did leave rows out


@pytest.mark.parametrize("height", [90, 180, 360, 364, 480, 700, 720, 1080])
def test_row_samples_see_every_row_in_time(height: int) -> None:
    before, now = np.zeros((2, height, 1280), np.uint8)
    now[height // 2 : height // 2 + 4] = 200
    sampled = [row_sampled_vmaf_motion(before, now, pair) for pair in range(300)]
    assert np.mean(sampled) == pytest.approx(vmaf_motion(before, now), rel=0.1)


def test_a_smaller_frame_gives_more_rows_and_no_more_pixels() -> None:
    sampled = [sampled_rows(np.zeros(size, np.uint8), 0) for size in ((1080, 1920), (360, 640))]
    assert [len(rows) // 5 for rows in sampled] == [12, 24]
    assert sampled[1].size <= sampled[0].size


def test_a_frame_gives_the_rows_of_both_its_pairs(frames: np.ndarray) -> None:
    for pair in range(4):
        rows, next_rows = rows_for_both(frames[0], pair)
        np.testing.assert_array_equal(rows, sampled_rows(frames[0], pair))
        np.testing.assert_array_equal(next_rows, sampled_rows(frames[0], pair + 1))


def test_the_same_frame_twice_does_not_move(frames: np.ndarray) -> None:
    assert vmaf_motion(frames[0], frames[0]) == 0
    assert row_sampled_vmaf_motion(frames[0], frames[0], 3) == 0


def test_black_to_white_is_the_whole_range() -> None:
    black, white = np.zeros((32, 48), np.uint8), np.full((32, 48), 255, np.uint8)
    assert vmaf_motion(black, white) == pytest.approx(255, abs=0.1)
    assert row_sampled_vmaf_motion(white, black, 0) == pytest.approx(255, abs=0.1)


def test_frames_too_low_for_row_samples_are_measured_whole() -> None:
    generator = np.random.default_rng(1)
    before, now = generator.integers(0, 256, (2, 4, 64), dtype=np.uint8)
    exact = vmaf_motion(before, now)
    assert row_sampled_vmaf_motion(before, now, 1) == pytest.approx(exact, rel=1e-4)


def test_a_view_of_a_padded_plane_counts_only_its_picture(frames: np.ndarray) -> None:
    padded = np.pad(frames[:2], ((0, 0), (0, 0), (0, 64)), constant_values=7)
    views = padded[:, :, :640]
    assert vmaf_motion(*views) == vmaf_motion(frames[0], frames[1])
    assert row_sampled_vmaf_motion(*views, 5) == row_sampled_vmaf_motion(frames[0], frames[1], 5)


def test_frames_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="no pair"):
        vmaf_motion(np.zeros((4, 4), np.uint8), np.zeros((4, 6), np.uint8))
    with pytest.raises(ValueError, match="no pair"):
        row_sampled_vmaf_motion(np.zeros((4, 4), np.uint8), np.zeros((6, 4), np.uint8), 0)
