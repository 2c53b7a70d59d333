import io
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from curation.media.cut import Framing, cut_clip, cut_image, evenly_spaced
from curation.media.decode import Frame, VideoReader
from curation.media.errors import MediaError
from curation.media.rendering import render
from tests import media
from tests.barcodes import HEIGHT, WIDTH, decoded, even, numbered, numbers


def framing(width=160, height=96, picture=(WIDTH, HEIGHT), part=None):
    x, y, part_width, part_height = part or (0, 0, *picture)
    return {
        "picture_width": picture[0],
        "picture_height": picture[1],
        "x": x,
        "y": y,
        "part_width": part_width,
        "part_height": part_height,
        "width": width,
        "height": height,
    }


def cut(path, start_s, end_s, num_frames, rotation_deg=0, shape=None, crf=12):
    return cut_clip(
        path, 0, rotation_deg, shape or framing(), start_s, end_s, num_frames, crf, "veryfast"
    )


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """20 s at 24 fps, with B-frames and a keyframe every 2 s."""
    return numbered(tmp_path_factory.mktemp("film") / "film.mp4", even(480, 24))


@pytest.mark.parametrize("first", [0, 1, 47, 48, 49, 100, 352])
def test_at_the_sources_rate_exactly_the_clips_frames_come_out(film, first):
    times = np.array(even(481, 24)) / 1000
    assert numbers(cut(film, times[first], times[first + 128], 128)) == [*range(first, first + 128)]


def test_a_stretched_clip_takes_the_nearest_frame_to_each_even_time(film):
    start_s, end_s = 2.0, 10.0
    chosen = numbers(cut(film, start_s, end_s, 128))
    wanted = [(start_s + number * (end_s - start_s) / 128) * 24 for number in range(128)]
    assert all(abs(a - b) <= 0.51 for a, b in zip(chosen, wanted, strict=True))
    assert len(set(chosen)) == 128


def test_nothing_outside_the_range_is_ever_taken(film):
    for start_s, end_s in [(3.01, 13.677), (0.02, 5.36), (14.9, 19.99)]:
        chosen = numbers(cut(film, start_s, end_s, 128))
        assert min(chosen) >= start_s * 24 - 0.05
        assert max(chosen) < end_s * 24


def test_variable_frame_rate_is_taken_by_time_not_by_number(tmp_path):
    times = even(48, 12) + [4000 + time for time in even(192, 48)]
    path = numbered(tmp_path / "vfr.mkv", times, rate=48)
    chosen = numbers(cut(path, 0.0, 8.0, 64))
    shown_ms = [times[number] for number in chosen]
    assert all(abs(ms - 125 * index) <= 42 for index, ms in enumerate(shown_ms))


def test_a_file_that_starts_late_is_cut_on_the_clock_of_its_first_frame(tmp_path):
    path = numbered(tmp_path / "late.mkv", [5000 + time for time in even(240, 24)])
    assert numbers(cut(path, 1.0, 5.0, 96)) == [*range(24, 120)]


def test_the_same_input_gives_the_same_bytes(film):
    assert cut(film, 1.0, 7.0, 128) == cut(film, 1.0, 7.0, 128)


def test_the_sample_is_what_browsers_and_simple_readers_expect(film):
    sample = cut(film, 1.0, 7.4, 128)
    assert sample.index(b"moov") < sample.index(b"mdat")
    assert b"elst" not in sample
    with av.open(io.BytesIO(sample)) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context
        assert (codec.name, codec.profile, codec.pix_fmt) == ("h264", "High", "yuv420p")
        assert (stream.frames, float(stream.average_rate)) == (128, pytest.approx(20.0))
        frames = [*container.decode(stream)]
    assert [frame.pts * frame.time_base for frame in frames] == [
        pytest.approx(index / 20) for index in range(128)
    ]
    tags = {(f.colorspace, f.color_primaries, f.color_trc, f.color_range) for f in frames}
    assert tags == {(1, 1, 1, 1)}


@pytest.mark.parametrize("pattern", ["testsrc2", "smptehdbars"])
@pytest.mark.parametrize("size", ["1280x720", "640x360"])
def test_colours_are_those_of_the_frames_that_were_measured(pattern, size):
    # 640x360 is untagged BT.601 at its source, 1280x720 BT.709: both must look the same afterwards.
    path = str(media.ffmpeg(f"{pattern}-{size}.mp4", *media.source(pattern, size), *media.H264))
    picture = tuple(map(int, size.split("x")))
    shape = framing(336, 192, picture)
    sample = decoded(cut(path, 0.0, 2.0, 50, shape=shape, crf=6))[10]
    with VideoReader(path, 0) as reader:
        source = next(frame for frame in reader.frames() if frame.index == 10)
        want = Framing(**shape).of(source, 0)
    got = render(sample, 336, 192)
    # 4:2:0 blurs edges of colour, flat areas must agree.
    assert np.median(np.abs(got.astype(int) - want.astype(int))) <= 1
    assert abs(got.astype(float).mean() - want.mean()) < 0.7


def test_the_picture_is_upright_and_cropped_around_its_centre():
    turned = media.ffmpeg(
        "turned.mp4", "-display_rotation", "-90", "-i", str(media.plain()), "-c", "copy"
    )
    shape = framing(width=96, height=160, picture=(180, 320))
    frames = decoded(cut(str(turned), 0.0, 2.0, 50, rotation_deg=90, shape=shape))
    assert (frames[0].width, frames[0].height) == (96, 160)
    with VideoReader(str(media.plain()), 0) as reader:
        upright = cv2.rotate(
            next(reader.frames()).picture.to_ndarray(format="rgb24"), cv2.ROTATE_90_CLOCKWISE
        )
    whole = cv2.resize(upright, (96, 171), interpolation=cv2.INTER_AREA)
    want, got = whole[5:165].astype(int), frames[0].to_ndarray(format="rgb24").astype(int)
    assert np.abs(got - want).mean() < 6


def test_borders_are_cut_off():
    bars = ("-f", "lavfi", "-i", "color=gray:320x180:d=2", "-vf", "pad=320:240:0:30:color=red")
    path = str(media.ffmpeg("boxed.mp4", *bars, *media.H264))
    inside = framing(width=160, height=96, picture=(320, 240), part=(0, 30, 320, 180))
    got = decoded(cut(path, 0.0, 2.0, 50, shape=inside))[0].to_ndarray(format="rgb24").astype(int)
    redness = got[..., 0] - got[..., 1]
    # The source itself keeps colour at half the detail, so a trace of it lies inside the edge.
    assert redness[1:-1].max() <= 8
    assert redness.max() <= 60


def test_an_image_becomes_a_jpeg_of_the_same_picture():
    path = str(media.image())
    with VideoReader(path, 0) as reader:
        frame = next(reader.frames())
        size = (frame.picture.width, frame.picture.height)
    shape = framing(width=size[0], height=size[1], picture=size)
    jpeg = cut_image(path, 0, 0, shape, 95)
    assert jpeg[:3] == b"\xff\xd8\xff"
    got = cv2.cvtColor(
        cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB
    )
    assert np.abs(got.astype(int) - render(frame.picture, *size)).mean() < 2


def test_a_range_behind_the_end_has_no_frames(film):
    with pytest.raises(MediaError) as caught:
        cut(film, 30.0, 36.0, 128)
    assert caught.value.reason == "no_frames"


def shown(times):
    return [Frame(index, time, None) for index, time in enumerate(times)]


def test_too_few_frames_are_repeated_evenly():
    chosen = [frame.index for frame in evenly_spaced(shown(np.arange(96) / 24), 4.0, 128)]
    assert len(chosen) == 128
    assert set(chosen) == set(range(96))
    assert all(b - a in (0, 1) for a, b in pairwise(chosen))


def test_frames_that_were_passed_are_let_go():
    alive = 0

    class Counted:
        def __init__(self, time_s):
            nonlocal alive
            alive += 1
            self.time_s = time_s
            assert alive <= 4

        def __del__(self):
            nonlocal alive
            alive -= 1

    frames = (Counted(number / 24) for number in range(500))
    assert sum(1 for _ in evenly_spaced(frames, 500 / 24, 128)) == 128
