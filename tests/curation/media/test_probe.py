import json
import os

import av
import pytest

from curation.media.errors import MediaError
from curation.media.probe import probe
from curation.tables import PROBE
from tests import media

LIMITS = {"max_frame_pixels": 1 << 26, "max_duration_s": 86400.0, "max_frames": 10_000_000}


def probed(path, **limits):
    return json.loads(probe(str(path), **(LIMITS | limits)))


def refusal(path, **limits):
    with pytest.raises(MediaError) as caught:
        probe(str(path), **(LIMITS | limits))
    return caught.value.reason, str(caught.value)


def test_a_plain_video_has_every_column_right():
    assert probed(media.plain()) == {
        "container": "mov,mp4,m4a,3gp,3g2,mj2",
        "codec": "h264",
        "width": 320,
        "height": 180,
        "coded_width": 320,
        "coded_height": 180,
        "rotation_deg": 0,
        "sample_aspect": 1.0,
        "fps": 25.0,
        "num_frames": 50,
        "duration_s": 2.0,
        "bit_rate": pytest.approx(8 * media.plain().stat().st_size / 2.0, rel=0.1),
        "pix_fmt": "yuv420p",
        "interlaced": False,
        "hdr": False,
        "has_audio": False,
        "num_video_streams": 1,
        "stream_index": 0,
        "is_image": False,
    }


def test_the_columns_are_those_of_the_table():
    assert set(probed(media.plain())) == {field.name for field in PROBE}


@pytest.mark.parametrize(
    ("degrees", "width", "height"), [(90, 180, 320), (180, 320, 180), (270, 180, 320)]
)
def test_rotation_is_clockwise_and_turns_the_size(degrees, width, height):
    found = probed(media.rotated(degrees))
    assert (found["rotation_deg"], found["width"], found["height"]) == (degrees, width, height)
    assert (found["coded_width"], found["coded_height"]) == (320, 180)


def test_the_sample_aspect_widens_the_display_size():
    found = probed(media.anamorphic())
    assert found["sample_aspect"] == pytest.approx(4 / 3)
    assert (found["coded_width"], found["width"], found["height"]) == (320, 427, 180)


def test_interlaced_hdr_and_sound_are_seen():
    assert probed(media.interlaced())["interlaced"]
    hdr = probed(media.hdr())
    assert (hdr["hdr"], hdr["pix_fmt"]) == (True, "yuv420p10le")
    sound = probed(media.with_sound())
    assert sound["has_audio"]
    assert sound["bit_rate"] < 8 * media.with_sound().stat().st_size / 2.0


def test_the_largest_video_stream_is_taken_and_the_first_of_equals():
    found = probed(media.two_videos())
    assert (found["num_video_streams"], found["stream_index"], found["width"]) == (3, 1, 320)


def test_frames_of_a_container_that_counts_none_are_estimated_from_its_duration():
    found = probed(media.two_videos())
    assert (found["num_frames"], found["duration_s"]) == (50, pytest.approx(2.0, abs=0.05))


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "gif"])
def test_a_still_picture_is_a_video_of_one_frame(extension):
    path = media.ffmpeg(f"still.{extension}", *media.source(), "-frames:v", "1")
    found = probed(path)
    assert found["is_image"]
    assert (found["num_frames"], found["duration_s"], found["fps"]) == (1, 0.0, None)
    assert (found["width"], found["height"], found["bit_rate"]) == (320, 180, None)


def test_a_moving_gif_is_a_video():
    found = probed(media.ffmpeg("moving.gif", *media.source(rate="10")))
    assert not found["is_image"]
    assert found["num_frames"] == pytest.approx(20, abs=1)


@pytest.mark.parametrize("path", [media.single_frame, media.one_pixel])
def test_one_frame_is_an_image(path):
    assert probed(path())["is_image"]


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("c.avi", ["-c:v", "mpeg4"]),
        ("c.webm", ["-c:v", "libvpx", "-deadline", "realtime"]),
        ("c.ts", ["-c:v", "libx264", "-preset", "ultrafast"]),
        ("c.flv", ["-c:v", "flv"]),
        ("c.wmv", ["-c:v", "wmv2"]),
        ("c.ogv", ["-c:v", "libtheora"]),
        ("c.mov", ["-c:v", "prores"]),
        ("av1.mp4", ["-c:v", "libaom-av1", "-cpu-used", "8", "-frames:v", "5"]),
        ("c.mxf", ["-c:v", "mpeg2video"]),
    ],
)
def test_the_common_containers_and_codecs_are_read_whatever_they_are_named(name, encoder, tmp_path):
    path = media.ffmpeg(name, *media.source(), *encoder)
    misnamed = tmp_path / "footage.txt"
    misnamed.write_bytes(path.read_bytes())
    found = probed(misnamed)
    assert (found["width"], found["height"], found["fps"]) == (320, 180, pytest.approx(25.0))
    assert found["is_image"] is False


@pytest.mark.parametrize(
    ("path", "reason", "words"),
    [
        (media.audio_only, "no_video", "only: audio"),
        (media.cover_art, "no_video", "cover art"),
        (media.text_as_mp4, "not_media", "the content is none of mov"),
        (media.without_moov, "no_frames", "moov atom not found"),
        (media.declares_duration, "too_large", "1000000000 frames are over max_frames"),
        (media.declares_size, "too_large", "frames of 15360x8640 px are over max_frame_pixels"),
        (media.declares_picture_size, "too_large", "frames of 15360x8640 px are over"),
        (lambda: media.declares_size(30720, 17280), "too_large", "Picture size 30720x17280"),
        (lambda: media.declares_picture_size(30720, 17280), "too_large", "Picture size"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(path, reason, words):
    found, message = refusal(path())
    assert found == reason
    assert words in message


def test_limits_are_applied_to_what_the_header_declares():
    assert refusal(media.plain(), max_duration_s=1.0)[0] == "too_large"
    assert refusal(media.plain(), max_frames=49)[0] == "too_large"
    assert refusal(media.anamorphic(), max_frame_pixels=320 * 180)[0] == "too_large"
    assert probed(media.plain(), max_duration_s=2.0, max_frames=50, max_frame_pixels=57_600)


def test_a_truncated_or_damaged_file_that_still_has_frames_is_probed():
    assert probed(media.truncated())["num_frames"] == 50
    assert probed(media.damaged_middle())["num_frames"] == 50


@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_a_picture_that_is_cut_off_is_refused(extension, tmp_path):
    whole = media.ffmpeg(f"whole.{extension}", *media.source(), "-frames:v", "1").read_bytes()
    path = tmp_path / f"cut.{extension}"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert refusal(path)[0] == "no_frames"


def test_a_jpeg_without_its_end_mark_or_with_more_after_it_is_taken(tmp_path):
    whole = media.image().read_bytes()
    path = tmp_path / "odd.jpg"
    for content in (whole[:-2], whole + b"left behind by a camera"):
        path.write_bytes(content)
        assert probed(path)["is_image"]


def test_a_header_without_frames_is_refused(tmp_path):
    whole = media.plain().read_bytes()
    start, end = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
    hollow = tmp_path / "hollow.mp4"
    hollow.write_bytes(whole[:start] + bytes(end - start) + whole[end:])
    assert refusal(hollow)[0] == "no_frames"


@pytest.mark.parametrize("disguise", [media.playlist, media.concat_script, media.data_reference])
def test_a_file_that_points_to_another_never_opens_it(disguise, tmp_path):
    secret = tmp_path / "secret.ts"
    secret.write_bytes(media.ffmpeg("c.ts", *media.source(), *media.H264).read_bytes())
    # A reader that does follow such files shows that each disguise would have worked.
    lax = {"enable_drefs": "1", "use_absolute_path": "1", "safe": "0", "allowed_extensions": "ALL"}
    path = disguise(secret)
    _was_read(secret)
    for name in (None, "hls", "concat"):
        try:
            with av.open(str(path), format=name, options=lax) as container:
                next(container.decode(video=0), None)
        except av.error.FFmpegError:
            continue
    assert _was_read(secret), "nobody falls for this disguise, so the test shows nothing"
    try:
        probed(path)
    except MediaError as error:
        assert error.reason in ("not_media", "no_frames")
    assert not _was_read(secret)


def _was_read(path):
    """Whether the access time has moved since the last call, which puts it far back."""
    was_read = path.stat().st_atime != 1.0
    os.utime(path, (1.0, path.stat().st_mtime))
    return was_read


def test_empty_files_folders_fifos_and_devices_are_refused_without_waiting(tmp_path):
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "fifo")
    assert refusal(tmp_path / "empty")[0] == "empty"
    assert refusal(tmp_path / "fifo")[0] == "not_a_file"
    assert refusal(tmp_path)[0] == "not_a_file"
    assert refusal("/dev/zero")[0] == "not_a_file"
    assert refusal(tmp_path / "absent")[0] == "unreadable"


@pytest.mark.parametrize(
    "name",
    ["%03d.mp4", "-i", "a b'\"\n.mp4", "concat:x.mp4", "http:x.mp4", "\U0001f3ac.mp4", "x" * 255],
)
def test_no_name_is_a_pattern_a_protocol_or_an_option(name, tmp_path, monkeypatch):
    (tmp_path / name).write_bytes(media.plain().read_bytes())
    assert probed(tmp_path / name)["num_frames"] == 50
    monkeypatch.chdir(tmp_path)
    assert probed(name)["num_frames"] == 50


def test_metadata_that_is_no_utf_8_does_no_harm(tmp_path):
    tagged = media.ffmpeg(
        "tag.mp4", "-i", str(media.plain()), "-c", "copy", "-metadata", "title=QQQQ"
    )
    path = tmp_path / "tagged.mp4"
    path.write_bytes(tagged.read_bytes().replace(b"QQQQ", b"\xff\xfe\xfd\xfc"))
    assert probed(path)["num_frames"] == 50
