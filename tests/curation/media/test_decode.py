import gc
import subprocess

import av
import imageio_ffmpeg
import pytest

from curation.media.decode import VideoReader, motion_vectors
from curation.media.errors import MediaError
from tests import barcodes, media


def times(path, start_s=0.0):
    with VideoReader(str(path), 0) as reader:
        return [frame.time_s for frame in reader.frames(start_s)], reader


def test_times_count_from_the_first_shown_frame_and_end_with_the_last():
    shown, reader = times(media.plain())
    assert shown == pytest.approx([index / 25 for index in range(50)])
    assert reader.end_s == pytest.approx(2.0)
    assert reader.failures == 0


def test_times_are_those_of_a_variable_frame_rate():
    shown, reader = times(media.variable_rate())
    with av.open(str(media.variable_rate())) as container:
        stamps = sorted(packet.pts for packet in container.demux(video=0) if packet.size)
    assert shown == pytest.approx([(stamp - stamps[0]) / 1000 for stamp in stamps])
    assert reader.end_s == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("container", ["mkv", "ts", "avi"])
def test_frames_come_in_presentation_order_in_every_container(container):
    encoder = ("-c:v", "libx264", "-bf", "3", "-g", "12", "-pix_fmt", "yuv420p")
    path = media.ffmpeg(f"b-frames.{container}", *media.source(), *encoder)
    shown, reader = times(path)
    # AVI holds no presentation times: the first frames show that, and are lost.
    assert len(shown) == 50 or (container == "avi" and len(shown) >= 48)
    assert shown == sorted(shown)
    assert shown[0] == 0.0
    assert reader.end_s == pytest.approx(2.0, abs=0.1)


def test_a_file_that_starts_late_starts_at_zero():
    path = media.ffmpeg(
        "late.ts", *media.source(), *media.H264, "-output_ts_offset", "1000", "-muxdelay", "0"
    )
    shown, _ = times(path)
    assert shown == pytest.approx([index / 25 for index in range(50)], abs=0.001)


def test_an_edit_list_hides_the_frames_before_it():
    # Cut without encoding, the file starts at a keyframe, and its edit list hides the first frames.
    whole = media.ffmpeg("whole.mp4", *media.source(), *media.H264)
    path = media.ffmpeg("edited.mp4", "-ss", "0.4", "-i", str(whole), "-c", "copy")
    shown, _ = times(path)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "framemd5", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert len(shown) == sum(not line.startswith("#") for line in said.splitlines()) == 40
    assert shown[0] == 0.0


@pytest.mark.parametrize("start", [1, 20, 47, 48, 70, 95])
def test_a_start_gives_exactly_the_frames_from_there_on(tmp_path, start):
    path = tmp_path / "numbered.mp4"
    barcodes.numbered(path, barcodes.even(96, 24))
    with VideoReader(str(path), 0) as reader:
        numbers = [barcodes.number_of(f.picture) for f in reader.frames(start / 24)]
    assert numbers == list(range(start, 96))


def test_damage_is_counted_and_the_rest_is_decoded():
    shown, reader = times(media.damaged_middle())
    assert reader.failures > 0
    assert 10 < len(shown) <= 50


def test_a_truncated_file_gives_what_it_has():
    shown, _ = times(media.truncated())
    assert 5 < len(shown) < 50


def test_motion_vectors_come_only_when_asked_for():
    for asked in (True, False):
        with VideoReader(str(media.plain()), 0, motion_vectors=asked) as reader:
            found = [f.picture.side_data.get("MOTION_VECTORS") for f in reader.frames()]
        assert any(vectors is not None for vectors in found) == asked


def test_a_stream_that_is_not_there_is_refused():
    with pytest.raises(MediaError, match="stream 7 is gone"):
        VideoReader(str(media.plain()), 7)


def test_frames_agree_with_a_plain_decode():
    with VideoReader(str(media.plain()), 0) as reader:
        ours = [bytes(frame.picture.planes[0]) for frame in reader.frames()]
    with av.open(str(media.plain())) as container:
        theirs = [bytes(frame.planes[0]) for frame in container.decode(video=0)]
    assert ours == theirs


def test_frames_whose_vectors_were_read_do_not_wait_for_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        with VideoReader(str(media.plain()), 0, motion_vectors=True) as reader:
            found = sum(motion_vectors(frame.picture) is not None for frame in reader.frames())
        alive = sum(isinstance(kept, av.VideoFrame) for kept in gc.get_objects())
    finally:
        gc.enable()
    assert found > 10
    assert alive <= 2
