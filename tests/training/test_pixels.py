"""Which frames are taken of a sample, and how they are brought to size."""

import itertools

import numpy as np
import pytest

from curation.buckets import ASPECTS, size_of
from training.pixels import aspect_of, bucket_size, encoded_frames, taken_frames
from training.settings import LatentsSettings


@pytest.mark.parametrize(
    ("num_frames", "stride", "most", "wanted"),
    [
        (8, 1, None, range(8)),
        (8, 1, 4, [2, 3, 4, 5]),
        (9, 4, None, [0, 4, 8]),
        (10, 4, None, [0, 4, 8]),
        (11, 4, None, [1, 5, 9]),
        (128, 4, 8, [49, 53, 57, 61, 65, 69, 73, 77]),
        (3, 8, None, [1]),
        (1, 4, 32, [0]),
    ],
)
def test_frames_are_evenly_spaced_around_the_middle(num_frames, stride, most, wanted):
    settings = LatentsSettings(frame_stride=stride, max_frames=most)
    assert [*taken_frames(num_frames, settings)] == [*wanted]


def test_as_many_are_taken_as_there_are_and_none_that_is_not():
    for num_frames, stride, most in itertools.product(range(1, 40), (1, 2, 3, 7), (None, 1, 5)):
        taken = taken_frames(num_frames, LatentsSettings(frame_stride=stride, max_frames=most))
        assert len(taken) == min(most or num_frames, -(-num_frames // stride))
        before, after = taken[0], num_frames - 1 - taken[-1]
        assert before >= 0 and 0 <= after - before <= 1


def test_a_sample_becomes_its_bucket_and_is_never_enlarged():
    assert bucket_size("16:9", 336, 192, 64) == (80, 48)
    assert bucket_size("16:9", 336, 192, 256) == (336, 192)
    assert bucket_size("16:9", 336, 192, 768) == (336, 192)
    assert bucket_size("16:9", 336, 192, None) == (336, 192)
    for aspect in ASPECTS:
        width, height = size_of(aspect, 768)
        assert bucket_size(aspect, width, height, 256) == size_of(aspect, 256)
        assert aspect_of(f"{aspect}-128") == aspect


def test_scaling_down_is_by_area_so_that_fine_detail_becomes_grey_and_means_stay():
    checks = (np.indices((192, 336)).sum(0) % 2 * 255).astype(np.uint8)
    frames = np.repeat(np.repeat(checks[None, ..., None], 3, axis=-1), 2, axis=0)
    small = encoded_frames(frames, "16:9", LatentsSettings(base_px=64))
    assert small.shape == (2, 48, 80, 3)
    assert np.abs(small.astype(int) - 127.5).max() <= 1
    noise = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), np.uint8)
    quarter = encoded_frames(noise, "1:1", LatentsSettings(base_px=64))
    blocks = noise.reshape(1, 64, 4, 64, 4, 3).mean((2, 4))
    assert np.abs(quarter - blocks).max() <= 0.51


def test_what_juts_out_is_cut_off_on_both_sides():
    columns = np.broadcast_to(
        np.arange(336, dtype=np.float64)[None, None, :, None] * 0.75, (1, 192, 336, 3)
    )
    small = encoded_frames(columns.astype(np.uint8), "16:9", LatentsSettings(base_px=64)).astype(
        float
    )
    middle = (336 - 1) / 2 * 0.75
    assert abs(small[0, :, 39:41].mean() - middle) < 1
    assert abs(small.mean() - middle) < 1


def test_a_sample_that_has_its_size_is_left_alone():
    frames = np.random.default_rng(0).integers(0, 256, (4, 192, 336, 3), np.uint8)
    assert np.array_equal(encoded_frames(frames, "16:9", LatentsSettings()), frames)
    assert np.array_equal(encoded_frames(frames, "16:9", LatentsSettings(base_px=256)), frames)
