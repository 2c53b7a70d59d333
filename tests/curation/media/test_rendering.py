import av
import numpy as np
import pytest

from curation.media.decode import VideoReader
from curation.media.rendering import HLG, PQ, render, rgb_matrix, tone_mapped
from tests import media


def first(path):
    with VideoReader(str(path), 0) as reader:
        return next(reader.frames()).picture


def flat(red, green, blue, **tags):
    frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), (red, green, blue), np.uint8), "rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace=tags.pop("matrix", "ITU709"))
    for name, value in tags.items():
        setattr(frame, name, value)
    return frame


def test_a_frame_comes_out_at_the_size_that_is_asked_for():
    assert render(first(media.plain()), 100, 60).shape == (60, 100, 3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_picture_is_the_numpy_turn_of_the_stored_one(degrees):
    frame = first(media.plain())
    stored = render(frame, 320, 180)
    width, height = (180, 320) if degrees in (90, 270) else (320, 180)
    assert (render(frame, width, height, degrees) == np.rot90(stored, -degrees // 90)).all()


@pytest.mark.parametrize(("matrix", "tag"), [("ITU709", 1), ("ITU601", 6)])
def test_colours_survive_either_matrix(matrix, tag):
    picture = render(flat(200, 40, 90, matrix=matrix, colorspace=tag), 64, 64)
    assert np.abs(picture[32, 32].astype(int) - (200, 40, 90)).max() <= 3


def test_untagged_small_pictures_are_bt601():
    picture = render(flat(200, 40, 90, matrix="ITU601", colorspace=2), 64, 64)
    assert np.abs(picture[32, 32].astype(int) - (200, 40, 90)).max() <= 3


def test_transparent_pixels_are_black():
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[..., 0], rgba[:, 8:, 3] = 255, 255
    picture = render(av.VideoFrame.from_ndarray(rgba, "rgba"), 16, 16)
    assert picture[8, 2].tolist() == [0, 0, 0]
    assert picture[8, 13].tolist() == [255, 0, 0]


def test_an_interlaced_frame_shows_no_combs():
    # Fields of opposite brightness: woven together they would be stripes.
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::2] = 200
    frame = av.VideoFrame.from_ndarray(stripes, "rgb24").reformat(format="yuv444p")
    assert np.ptp(render(frame, 64, 64)[..., 0]) > 150
    interlaced = next(iter_interlaced())
    assert interlaced.interlaced_frame
    rows = render(interlaced, 320, 180).astype(int)
    assert np.abs(np.diff(rows, axis=0)).mean() < 40


def iter_interlaced():
    with VideoReader(str(media.interlaced()), 0) as reader:
        for frame in reader.frames():
            yield frame.picture


def test_pq_white_of_203_nits_is_near_white_and_dark_stays_dark():
    # SMPTE ST 2084 signal of 203 cd/m2 is 0.5807 (ITU-R BT.2408, table 1: 58 %).
    white = tone_mapped(np.full((1, 1, 3), 0.5807, np.float32), PQ)[0, 0]
    assert 215 <= white.min() <= white.max() <= 240
    assert tone_mapped(np.zeros((1, 1, 3), np.float32), PQ).max() == 0


def test_hlg_white_of_75_percent_equals_pq_white():
    # BT.2408: HDR reference white is 75 % HLG and 58 % PQ.
    hlg = tone_mapped(np.full((1, 1, 3), 0.75, np.float32), HLG).astype(int)
    pq = tone_mapped(np.full((1, 1, 3), 0.5807, np.float32), PQ).astype(int)
    assert np.abs(hlg - pq).max() <= 3


def test_tone_mapping_never_reverses_an_order():
    signal = np.linspace(0, 1, 500, dtype=np.float32)[:, None, None].repeat(3, axis=2)
    assert (np.diff(tone_mapped(signal, PQ)[:, 0, 0].astype(int)) >= 0).all()


def test_an_hdr_file_renders_as_a_normal_picture():
    picture = render(first(media.hdr()), 160, 90)
    assert picture.shape == (90, 160, 3)
    assert 20 < picture.mean() < 235


@pytest.mark.parametrize("size", [(320, 180), (160, 90), (77, 51), (640, 360)])
def test_the_quick_way_agrees_with_ffmpegs_scaler(size):
    frame = first(media.plain())
    exact = frame.reformat(*size, "rgb24", src_colorspace="ITU601", interpolation="AREA")
    difference = np.abs(render(frame, *size).astype(int) - exact.to_ndarray())
    # They differ at hard edges of colour, where chroma is interpolated differently.
    assert np.median(difference) <= 2
    assert difference.mean() < 6


def test_the_matrix_of_full_range_bt601_is_jfifs():
    # JFIF 1.02, page 3.
    jfif = [[1, 0, 1.402], [1, -0.34414, -0.71414], [1, 1.772, 0]]
    assert rgb_matrix(0.299, 0.114, full_range=True)[:, :3] == pytest.approx(
        np.array(jfif), abs=1e-4
    )
