import numpy as np
import pytest

from curation.media.decode import VideoReader
from curation.media.planes import views
from tests import media


def first(path):
    with VideoReader(str(path), 0) as reader:
        return next(reader.frames()).picture


def test_luma_is_the_stored_plane():
    frame = first(media.plain())
    assert (views(frame).luma == frame.to_ndarray(format="yuv420p")[:180]).all()


def test_ten_bit_luma_is_rounded_to_eight():
    frame = first(media.hdr())
    ten = frame.to_ndarray(format="yuv420p10le")[: frame.height]
    assert views(frame).luma.dtype == np.uint8
    assert np.abs(views(frame).luma.astype(float) - ten / 4).max() <= 0.5


@pytest.mark.parametrize("size", ["1280x720", "640x360", "1920x1080", "600x1000", "256x144"])
def test_the_small_picture_is_near_to_ffmpegs_area_average(size):
    frame = first(media.ffmpeg(f"size-{size}.mp4", *media.source(size=size), *media.H264))
    _, grey, bgr = views(frame)
    rows, columns = grey.shape
    assert columns == 256
    assert bgr.shape == (rows // 2, 128, 3)
    assert columns / rows == pytest.approx(frame.width / frame.height, rel=0.02)
    exact = frame.reformat(256, rows, "yuv420p", interpolation="AREA").to_ndarray()[:rows]
    assert np.abs(grey.astype(int) - exact).mean() < 4


@pytest.mark.parametrize("size", ["2x2", "16x16", "4000x10", "10x4000"])
def test_pictures_of_any_shape_get_a_small_one(size):
    frame = first(media.ffmpeg(f"odd-{size}.mkv", *media.source(size=size), "-c:v", "ffv1"))
    _, grey, bgr = views(frame)
    assert bgr.shape[:2] == (grey.shape[0] // 2, grey.shape[1] // 2)
    assert 4 <= grey.shape[0] <= 1024


def test_other_pixel_formats_are_converted():
    for pixels in ("yuv444p", "rgb24", "gray"):
        frame = first(media.plain()).reformat(format=pixels)
        assert views(frame).luma.shape == (180, 320)
        assert views(frame).bgr.shape == (72, 128, 3)
