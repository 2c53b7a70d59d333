import io
import json
import subprocess
import sys

import cv2
import numpy as np
import pyarrow as pa
import pytest

from curation.clips import ClipsSettings, ClipsStage, analyse
from curation.ingest import content_hash
from curation.media.errors import MediaError
from curation.media.probe import probe
from curation.media.sandbox import Limits
from curation.tables import CLIPS, MEASURES, MOTION_MEASURES
from tests import media

SETTINGS = {"windows": {"skip_head_s": 0.0}}


def video_of(path):
    columns = json.loads(probe(str(path), 1 << 26, 1e5, 1 << 30))
    return {"video_id": "v", **columns}


def analysed(path, **settings):
    chosen = ClipsSettings.model_validate(SETTINGS | settings)
    row = analyse(str(path), video_of(path), chosen.model_dump(mode="json"))
    table = pa.ipc.open_stream(io.BytesIO(row)).read_all()
    assert table.schema.equals(CLIPS)
    return table.to_pylist()[0]


def two_shots():
    """6 s of a test card and 5 s of a moving fractal, joined by a hard cut; 320x180, 25 fps."""
    second = media.source("mandelbrot", seconds=5.0)
    joined = ("-filter_complex", "[0:v][1:v]concat=n=2:v=1[v]", "-map", "[v]")
    first = media.source(seconds=6.0)
    # Mandelbrot has no duration of its own.
    second = ("-f", "lavfi", "-t", "5", "-i", "mandelbrot=size=320x180:rate=25")
    return media.ffmpeg("two-shots.mp4", *first, *second, *joined, *media.H264)


def test_a_video_of_two_shots_gives_a_clip_of_each():
    row = analysed(two_shots())
    assert [cut["kind"] for cut in row["cuts"]] == ["cut"]
    assert row["cuts"][0]["time_s"] == pytest.approx(6.0, abs=0.041)
    first, second = row["clips"]
    assert first["clip_id"] == f"v-0-{first['num_frames']}"
    assert (first["start_s"], first["cut_before"], first["cut_after"]) == (0.0, "start", "cut")
    assert first["end_s"] == pytest.approx(5.9, abs=0.041)
    assert second["start_s"] == pytest.approx(6.1, abs=0.041)
    assert second["cut_after"] == "end"
    assert row["decoded_frames"] == 275
    assert row["decode_failures"] == 0
    assert row["decoded_s"] == pytest.approx(11.0)


def test_every_measure_of_a_moving_clip_is_a_finite_number():
    for clip in analysed(two_shots())["clips"]:
        for field in MEASURES:
            assert clip[field.name] is not None, field.name
            if pa.types.is_floating(field.type):
                assert np.isfinite(clip[field.name]), field.name


def test_pictures_are_jpegs_in_time_order_inside_their_clip():
    row = analysed(two_shots(), frames={"count": 3, "long_side_px": 160})
    for clip, pictures in zip(row["clips"], row["frames"], strict=True):
        times = [picture["time_s"] for picture in pictures]
        assert len(times) == 3
        assert times == sorted(times)
        assert clip["start_s"] <= times[0]
        assert times[-1] < clip["end_s"]
        for picture in pictures:
            decoded = cv2.imdecode(np.frombuffer(picture["jpeg"], np.uint8), cv2.IMREAD_COLOR)
            assert decoded.shape == (90, 160, 3)


def test_an_image_is_a_clip_of_one_frame_without_motion():
    row = analysed(media.image())
    (clip,) = row["clips"]
    assert (clip["num_frames"], clip["duration_s"]) == (1, 0.0)
    names = {field.name for field in MEASURES}
    assert all(clip[name] is None for name in MOTION_MEASURES & names)
    assert clip["sharpness"] is not None
    assert len(row["frames"][0]) == 1


def test_a_turned_video_gives_upright_pictures_and_display_sizes():
    row = analysed(media.rotated(90), windows={"min_s": 1, "min_shot_s": 1, "skip_head_s": 0})
    (clip,) = row["clips"]
    assert (clip["content_width"], clip["content_height"]) == (180, 320)
    jpeg = np.frombuffer(row["frames"][0][0]["jpeg"], np.uint8)
    assert cv2.imdecode(jpeg, cv2.IMREAD_COLOR).shape == (320, 180, 3)


WAVES = "128+60*sin(X/9)*cos(Y/7)+40*sin((X+Y)/23)"


def pan(direction, name):
    """A camera that moves over a picture of waves: `direction` is `x` or `y` of the crop."""
    crop = {"x": "crop=320:180:x=n*4:y=90", "y": "crop=320:180:x=160:y=n*2"}[direction]
    picture = f"nullsrc=size=1280x720:rate=25:duration=0.04,geq=lum='{WAVES}':cb=128:cr=128"
    moved = f"{picture},loop=109:1:0,setpts=N/25/TB,{crop}"
    return media.ffmpeg(name, "-f", "lavfi", "-i", moved, *media.H264)


def test_the_camera_of_a_pan_and_a_tilt_has_the_right_sign_and_size():
    # 4 px of 320 to the right and 2 px of 180 down, 25 times a second.
    (clip,) = analysed(pan("x", "pan.mp4"))["clips"]
    assert clip["camera_pan"] == pytest.approx(4 * 25 / 320, rel=0.05)
    assert abs(clip["camera_tilt"]) < 0.02
    (clip,) = analysed(pan("y", "tilt.mp4"))["clips"]
    assert clip["camera_tilt"] == pytest.approx(-2 * 25 / 180, rel=0.05)
    assert abs(clip["camera_pan"]) < 0.02


def test_the_camera_of_a_turned_video_is_told_as_it_is_seen():
    stored = pan("x", "pan.mp4")
    turned = media.ffmpeg(
        "pan-turned.mp4", "-display_rotation", "-90", "-i", str(stored), "-c", "copy"
    )
    (clip,) = analysed(turned)["clips"]
    # Stored to the right is shown downwards after a clockwise quarter turn.
    assert clip["camera_tilt"] == pytest.approx(-4 * 25 / 320, rel=0.05)
    assert abs(clip["camera_pan"]) < 0.02


def test_a_frozen_video_is_frozen():
    still = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=0.04")
    looped = ("-vf", "loop=124:1:0,setpts=N/25/TB")
    path = media.ffmpeg("frozen.mp4", *still, *looped, "-crf", "12", *media.H264)
    (clip,) = analysed(path)["clips"]
    assert clip["frozen_share"] > 0.95
    assert clip["motion_vmaf"] < 0.1


def test_borders_are_measured_in_display_pixels():
    boxed = ("-vf", "scale=320:120,pad=320:180:0:30:black")
    path = media.ffmpeg("boxed.mp4", *media.source(seconds=4.4), *boxed, *media.H264)
    (clip,) = analysed(path)["clips"]
    assert clip["content_y"] == pytest.approx(30, abs=2)
    assert clip["content_height"] == pytest.approx(120, abs=3)
    assert clip["border_share"] == pytest.approx(1 / 3, abs=0.03)


def test_the_same_video_gives_the_same_bytes():
    video = video_of(two_shots())
    settings = ClipsSettings().model_dump(mode="json")
    assert analyse(str(two_shots()), video, settings) == analyse(str(two_shots()), video, settings)


def test_a_file_without_frames_is_a_media_error():
    with pytest.raises(MediaError) as caught:
        analyse(str(media.audio_only()), {**video_of(media.plain()), "stream_index": 0}, {})
    assert caught.value.reason in ("changed", "no_frames")


def dissolve():
    """5 s of a test card dissolve within a second into 5 s of a fractal; 320x180, 25 fps."""
    first = media.source(seconds=5.5)
    second = ("-f", "lavfi", "-t", "5.5", "-i", "mandelbrot=size=320x180:rate=25")
    blend = "[0:v][1:v]xfade=transition=fade:duration=1:offset=4.5,format=yuv420p[v]"
    joined = ("-filter_complex", blend, "-map", "[v]")
    return media.ffmpeg("dissolve.mp4", *first, *second, *joined, *media.H264)


def stage_rows(*paths, settings=None, weights=None, **changes):
    rows = []
    for number, path in enumerate(paths):
        row = video_of(path) | {"video_id": f"v{number}"}
        row |= {"uris": [str(path)], "sha256": content_hash(path)} | changes
        rows.append({name: row[name] for name in ClipsStage.reads})
    stage = ClipsStage(ClipsSettings.model_validate(settings or {}), Limits(), weights)
    stage.setup()
    return stage(pa.Table.from_pylist(rows)).to_pylist()


def test_the_stage_gives_one_row_per_video_and_says_what_it_cost():
    rows = stage_rows(media.plain(), two_shots())
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert [len(row["clips"]) for row in rows] == [0, 1]
    assert all(row["cpu_s"] > 0 and row["peak_memory_bytes"] > 1 << 20 for row in rows)


def test_a_file_that_changed_since_the_probe_is_not_decoded():
    (row,) = stage_rows(media.plain(), sha256="0" * 64)
    assert (row["status"], row["reason"]) == ("failed", "changed")


def test_a_file_that_vanished_is_a_failed_row():
    (row,) = stage_rows(media.plain(), uris=["/nowhere/at-all.mp4"])
    assert (row["status"], row["reason"]) == ("failed", "changed")
    assert "/nowhere/at-all.mp4" in row["error"]


def test_another_copy_of_the_content_will_do():
    (row,) = stage_rows(media.plain(), uris=["/nowhere/at-all.mp4", str(media.plain())])
    assert row["status"] == "ok"


TRANSNET = SETTINGS | {"shots": {"transnet": {}}}


def test_the_network_finds_a_dissolve_that_the_other_detectors_miss(model_weights):
    (bare,) = stage_rows(dissolve(), settings=SETTINGS)
    assert [len(bare["clips"]), bare["cuts"]] == [1, []]
    (row,) = stage_rows(dissolve(), settings=TRANSNET, weights=model_weights)
    assert [cut["kind"] for cut in row["cuts"]] == ["dissolve"]
    before, after = row["clips"]
    assert before["end_s"] <= 4.6 and after["start_s"] >= 5.4
    assert (before["cut_after"], after["cut_before"]) == ("dissolve", "dissolve")


def test_missing_weights_are_an_error_before_any_video_is_opened(tmp_path):
    with pytest.raises(ValueError, match=r"transnetv2\.pth is missing; `make setup` fetches it"):
        stage_rows(media.plain(), settings=TRANSNET, weights=tmp_path, uris=["/nowhere/at-all"])


def test_without_the_network_torch_is_not_imported():
    code = f"""if True:
        import sys
        from curation.clips import analyse
        analyse({str(two_shots())!r}, {video_of(two_shots())!r}, {{}})
        sys.exit("torch" in sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_any_key_of_the_settings_changes_the_fingerprint():
    def named(**settings):
        return ClipsStage(ClipsSettings.model_validate(settings), Limits()).fingerprint

    assert named() == named()
    assert named() != named(frames={"count": 5})
    assert named() != named(shots={"content": None})
    assert named() != named(shots={"transnet": {}}) != named(shots={"transnet": {"threshold": 0.5}})
