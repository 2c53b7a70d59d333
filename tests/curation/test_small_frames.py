import cv2
import numpy as np
import pytest

from curation import small_frames
from curation.small_frames import SmallFrames


@pytest.fixture
def bgr():
    return np.random.default_rng(0).integers(0, 255, (50, 72, 128, 3), dtype=np.uint8)


def test_frames_come_back_small_and_as_rgb(bgr):
    with SmallFrames() as frames:
        for picture in bgr:
            frames.append(picture)
        assert len(frames) == 50
        back = frames.read(10, 13)
    expected = [cv2.resize(picture, (48, 27), interpolation=cv2.INTER_AREA)[..., ::-1]
                for picture in bgr[10:13]]  # fmt: skip
    np.testing.assert_array_equal(back, expected)


def test_stretches_reach_across_files(bgr, monkeypatch):
    with SmallFrames() as frames:
        for picture in bgr:
            frames.append(picture)
        whole = frames.read(0, 50)
    monkeypatch.setattr(small_frames, "FILE_FRAMES", 7)
    with SmallFrames() as frames:
        for picture in bgr:
            frames.append(picture)
        np.testing.assert_array_equal(frames.read(0, 50), whole)
        np.testing.assert_array_equal(frames.read(5, 23), whole[5:23])
        assert frames.read(7, 7).shape == (0, 27, 48, 3)
