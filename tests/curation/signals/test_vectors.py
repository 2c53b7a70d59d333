"""Motion vectors: lengths, spans, what is unknown."""

import cv2
import numpy as np
import pytest

from curation.signals.vectors import (
    PairMotion,
    VectorEstimator,
    VectorField,
    clip_motion,
    codec_vectors,
    pair_motion,
)

FIELDS = np.dtype(
    [
        ("source", "<i4"), ("w", "u1"), ("h", "u1"), ("src_x", "<i2"), ("src_y", "<i2"),
        ("dst_x", "<i2"), ("dst_y", "<i2"), ("flags", "<u8"), ("motion_x", "<i4"),
        ("motion_y", "<i4"), ("motion_scale", "<u2"),
    ]
)  # fmt: skip


def block(source: int, x: int, y: int, motion_x: int, motion_y: int) -> np.ndarray:
    """One 16x16 block of FFmpeg's side data, motion in quarter px."""
    row = (source, 16, 16, 0, 0, x, y, 0, motion_x, motion_y, 4)
    return np.array([row], FIELDS)


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (200, 320), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)


def test_content_moves_opposite_to_where_the_block_came_from() -> None:
    field = codec_vectors(block(-1, 24, 8, -12, 8), width=32, height=16, span=1)
    assert field is not None
    assert field.displacements[0] == 3 - 2j
    assert field.points[0] == 8 + 0j


def test_lengths_are_per_frame_of_the_span() -> None:
    field = codec_vectors(block(-1, 8, 8, 16, 0), width=16, height=16, span=4)
    assert field is not None
    assert pair_motion(field) == PairMotion(mean_px=1.0, coverage=1.0, known_share=1.0, span=4)


def test_vectors_from_the_future_are_left_out() -> None:
    both = np.concatenate([block(-1, 8, 8, 4, 0), block(1, 24, 8, 400, 0)])
    field = codec_vectors(both, width=32, height=16, span=1)
    assert field is not None
    assert pair_motion(field).mean_px == 1.0
    assert field.known_share == 0.5


def test_a_frame_of_intra_blocks_has_no_vectors() -> None:
    assert codec_vectors(np.empty(0, FIELDS), 32, 16, 1) is None
    assert codec_vectors(block(1, 8, 8, 4, 0), 32, 16, 1) is None


def test_coverage_counts_the_area_that_moves_a_quarter_pixel_per_frame() -> None:
    areas = np.array([100, 50, 50], np.float32)
    moved = np.array([0, 0.4, 0.6], np.complex64)
    field = VectorField(moved, moved, areas, np.ones(3, np.float32), known_share=1.0, span=2)
    assert pair_motion(field).coverage == pytest.approx(0.25)
    assert pair_motion(field).mean_px == pytest.approx((0.4 * 50 + 0.6 * 50) / 200 / 2)


def test_pairs_count_for_the_frames_they_span() -> None:
    motion = clip_motion([PairMotion(1.0, 0.5, 1.0, 1), PairMotion(4.0, 0.8, 0.6, 3)])
    assert motion is not None
    assert motion == pytest.approx((3.25, 0.725, 0.7, 4))


def test_a_clip_whose_picture_is_mostly_unknown_has_no_motion_to_tell() -> None:
    assert clip_motion([]) is None
    assert clip_motion([PairMotion(9.0, 1.0, 0.4, 1)]) is None


@pytest.mark.parametrize(("x", "y"), [(0, 0), (3, 0), (0, -2), (-5, 4)])
def test_the_estimate_follows_a_shift(x: int, y: int) -> None:
    picture = texture()
    before, now = picture[28:172, 32:288], picture[28 - y : 172 - y, 32 - x : 288 - x]
    field = VectorEstimator()(before, now, width=1024, height=576, span=1)
    middle = np.abs(field.points) < 250
    assert np.median(field.displacements[middle].real) == pytest.approx(4 * x, abs=0.4)
    assert np.median(field.displacements[middle].imag) == pytest.approx(4 * y, abs=0.4)


def test_the_estimate_scales_each_side_to_the_stored_size() -> None:
    picture = texture()
    field = VectorEstimator()(
        picture[28:172, 32:288], picture[26:170, 29:285], width=512, height=1440, span=2
    )
    assert np.median(field.displacements.real) == pytest.approx(3 * 2, abs=0.4)
    assert np.median(field.displacements.imag) == pytest.approx(2 * 10, abs=2)
    assert field.weights.sum() == pytest.approx(512 * 1440)
    assert pair_motion(field).span == 2


def test_texture_tells_flat_areas_apart() -> None:
    picture = texture()[:144, :256].copy()
    picture[:, 128:] = 90
    field = VectorEstimator()(picture, picture, 256, 144, 1)
    assert field.texture[field.points.real < -16].min() > 0.8
    assert field.texture[field.points.real > 16].max() == 0
