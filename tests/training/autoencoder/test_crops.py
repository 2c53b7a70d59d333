import logging

import numpy as np
import pytest
import torch

from tests.training.autoencoder.toys import MovingPatterns
from training.autoencoder.crops import Crops, scaled, split
from training.autoencoder.settings import TaeFitSettings


def settings_of(**values):
    return TaeFitSettings.model_validate(
        {"size_px": 16, "num_frames": 8, "batch_size": 3, "image_every": 0} | values
    )


def crops_of(clips, seed=0, **values):
    return Crops(clips, range(len(clips.clip_ids)), settings_of(**values), seed)


def test_crops_depend_on_seed_and_step_and_on_nothing_else():
    clips = MovingPatterns()
    crops = crops_of(clips)
    batches = [crops.batch(step) for step in (0, 1, 2)]
    again = crops_of(MovingPatterns())
    assert torch.equal(again.batch(2), batches[2])
    assert torch.equal(again.batch(0), batches[0])
    assert not torch.equal(batches[0], batches[1])
    assert not torch.equal(crops_of(clips, seed=1).batch(0), batches[0])


class Numbered:
    """A clip whose pixels say where they are: frame, row, column."""

    clip_ids = video_ids = ("only",)
    num_frames = (30,)

    def read(self, number):
        return np.stack(np.meshgrid(*map(np.arange, (30, 16, 40)), indexing="ij"), -1).astype(
            np.uint8
        )


def test_crops_are_consecutive_in_time_by_the_stride_and_reach_every_place():
    crops = crops_of(Numbered(), batch_size=64, frame_stride=3)
    values = ((crops.batch(0) + 1) * 127.5).round()
    times, columns = values[:, 0, :, 0, 0], values[:, 2, 0, 0]
    assert (times.diff(dim=1) == 3).all()
    assert set(times[:, 0].tolist()) == set(range(30 - 21))
    mirrored = columns[:, 0] > columns[:, 1]
    assert 16 < mirrored.sum() < 48
    assert {0.0, 24.0} <= set(columns.amin(dim=1).tolist()) <= set(range(25))
    assert (columns.diff(dim=1).abs() == 1).all()


def test_one_step_in_so_many_is_on_images_with_as_many_latents():
    crops = crops_of(MovingPatterns(), image_every=4, num_frames=16)
    shapes = [tuple(crops.batch(step).shape) for step in range(8)]
    assert shapes == 2 * [*3 * [(3, 3, 16, 16, 16)], (6, 3, 1, 16, 16)]


def test_clips_that_are_too_short_serve_for_images_only():
    clips = MovingPatterns(count=6)
    clips.num_frames = [4, 24, 1, 24, 4, 1]
    crops = crops_of(clips)
    assert crops.long == [1, 3]
    crops.batch(0)
    assert set(clips.reads) <= {1, 3}
    with pytest.raises(ValueError, match="none of the 6 clips to train on has 57 frames"):
        crops_of(clips, frame_stride=8)


def test_clips_that_cannot_be_read_are_passed_over_and_named_once(caplog):
    clips = MovingPatterns(count=4, broken=(0, 2))
    with caplog.at_level(logging.WARNING):
        crops = crops_of(clips, batch_size=16)
        assert crops.batch(0).shape[0] == 16
        assert crops.middle(2) is None
    assert crops.unreadable == {0, 2}
    assert len(caplog.records) == 2
    assert "clip-2 is passed over" in caplog.text
    with pytest.raises(ValueError, match="100 clips in a row cannot be read"):
        crops_of(MovingPatterns(count=3, broken=(0, 1, 2))).batch(0)


def test_frames_are_scaled_to_the_short_side():
    assert scaled(np.zeros((2, 64, 96, 3), np.uint8), 32).shape == (2, 32, 48, 3)
    assert scaled(np.zeros((2, 50, 20, 3), np.uint8), 32).shape == (2, 80, 32, 3)
    rough = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), np.uint8)
    means = rough.reshape(1, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(scaled(rough, 32), means, atol=1)


def test_no_video_is_on_both_sides_and_a_single_one_is_split_by_clips():
    clips = MovingPatterns(count=40, videos=10)
    trained, held = split(clips, 0.3)
    assert sorted(trained + held) == list(range(40))
    of = [{clips.video_ids[number] for number in side} for side in (trained, held)]
    assert of[0]
    assert of[1]
    assert not of[0] & of[1]
    trained, held = split(MovingPatterns(count=40, videos=1), 0.3)
    assert 2 < len(held) < 25
    assert len(trained) == 40 - len(held)
    assert split(clips, 0.0)[1] == []
